//! Takes whole months out of the trail, once they are old enough.
