//! The queue against a model that looks at everything anew each time.

use super::{Entry, Line, Queue};
use std::collections::VecDeque;

const A: Line = Line(1);
const B: Line = Line(2);
const C: Line = Line(3);

/// Enters as many as asked, whoever waits being called by its place.
fn fill(queue: &mut Queue<usize>, line: Line, number: usize) -> [usize; 3] {
    let mut counts = [0; 3];
    for place in 0..number {
        match queue.enter(line, || place) {
            Entry::Admitted => counts[0] += 1,
            Entry::Waiting(_) => counts[1] += 1,
            Entry::Full => counts[2] += 1,
        }
    }
    counts
}

#[test]
fn dos_07_a_flood_leaves_permits_to_others_and_is_bounded() {
    let mut queue = Queue::new(8, 100);
    assert_eq!(fill(&mut queue, A, 1_000), [6, 100, 894], "admitted, waiting, refused");
    assert_eq!(fill(&mut queue, B, 2), [2, 0, 0], "others do not wait for it");
}

#[test]
fn dos_07_who_waits_is_served_in_turn_however_many_one_of_them_sends() {
    let mut queue = Queue::new(4, 1_000);
    fill(&mut queue, A, 500);
    fill(&mut queue, B, 1);
    assert_eq!(fill(&mut queue, B, 5), [0, 5, 0]);
    assert_eq!(fill(&mut queue, C, 5), [0, 5, 0]);
    // A holds three, B one, C none.
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push(queue.leave(A).unwrap().0);
    }
    assert_eq!(order, [C, A, B, A], "who holds the fewest, then who waits for longest");
    assert_eq!(queue.leave(B), Some((C, 1)), "each holds one, and C has waited for longest");
}

#[test]
fn a_permit_alone_goes_round() {
    let mut queue = Queue::new(1, 10);
    for line in [A, A, A, B, B, C] {
        queue.enter(line, || 0);
    }
    let mut holder = A;
    let mut order = Vec::new();
    while let Some((next, _)) = queue.leave(holder) {
        order.push(next);
        holder = next;
    }
    assert_eq!(order, [A, B, C, A, B]);
}

#[test]
fn who_gives_up_takes_nobody_s_place() {
    let mut queue = Queue::new(1, 10);
    queue.enter(A, || 0);
    let Entry::Waiting(number) = queue.enter(B, || 1) else { panic!("admitted") };
    queue.enter(C, || 2);
    queue.forget(B, number);
    assert_eq!(queue.leave(A), Some((C, 2)));
    assert_eq!(queue.leave(C), None);
    assert_eq!((queue.waiting(), queue.lines.len(), queue.ready.len()), (0, 0, 0));
}

/// Everybody's place, in the order of arrival; slow, and plainly right.
struct Model {
    permits: usize,
    share: usize,
    held: Vec<(Line, usize)>,
    waiting: VecDeque<(Line, usize, usize)>,
    since: Vec<(Line, usize)>,
    moment: usize,
}

impl Model {
    fn of(list: &[(Line, usize)], line: Line) -> usize {
        list.iter().find(|(known, _)| *known == line).map_or(0, |(_, number)| *number)
    }

    fn set(list: &mut Vec<(Line, usize)>, line: Line, number: usize) {
        list.retain(|(known, _)| *known != line);
        list.push((line, number));
    }

    fn free(&self) -> usize {
        self.permits - self.held.iter().map(|(_, number)| number).sum::<usize>()
    }

    /// The line that has to be next.
    fn next(&self) -> Option<Line> {
        if self.free() == 0 {
            return None;
        }
        let lines = self.waiting.iter().map(|(line, _, _)| *line);
        let may = lines.filter(|line| Model::of(&self.held, *line) < self.share);
        may.min_by_key(|line| (Model::of(&self.held, *line), Model::of(&self.since, *line)))
    }
}

/// The same numbers for the same seed.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn dos_07_the_queue_does_what_the_model_does() {
    for seed in 1..=200 {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed);
        let permits = 1 + random(&mut state) % 9;
        let waiting_max = random(&mut state) % 6;
        let mut queue = Queue::new(permits, waiting_max);
        let mut model = Model {
            permits,
            share: queue.share,
            held: Vec::new(),
            waiting: VecDeque::new(),
            since: Vec::new(),
            moment: 0,
        };
        assert!(model.share >= 1 && (permits == 1 || model.share < permits));
        let mut numbers: Vec<(Line, u64, usize)> = Vec::new();
        for step in 0..400 {
            model.moment += 1;
            let line = Line(i32::try_from(random(&mut state) % 5).unwrap());
            let held = Model::of(&model.held, line);
            match random(&mut state) % 5 {
                0..=2 => {
                    let in_line =
                        model.waiting.iter().filter(|(known, _, _)| *known == line).count();
                    let expected_in = model.free() > 0 && held < model.share;
                    match queue.enter(line, || step) {
                        Entry::Admitted => {
                            assert!(expected_in, "seed {seed}, step {step}");
                            Model::set(&mut model.held, line, held + 1);
                        }
                        Entry::Waiting(number) => {
                            assert!(!expected_in && in_line < waiting_max);
                            if in_line == 0 {
                                Model::set(&mut model.since, line, model.moment);
                            }
                            model.waiting.push_back((line, step, model.moment));
                            numbers.push((line, number, step));
                        }
                        Entry::Full => assert!(!expected_in && in_line >= waiting_max),
                    }
                }
                3 if held > 0 => {
                    let found = queue.leave(line);
                    Model::set(&mut model.held, line, held - 1);
                    let expected = model.next().map(|line| {
                        let place = model.waiting.iter().position(|(known, _, _)| *known == line);
                        let (_, name, _) = model.waiting.remove(place.unwrap()).unwrap();
                        let held = Model::of(&model.held, line);
                        Model::set(&mut model.held, line, held + 1);
                        Model::set(&mut model.since, line, model.moment);
                        (line, name)
                    });
                    assert_eq!(found, expected, "seed {seed}, step {step}");
                }
                _ if !numbers.is_empty() => {
                    let (line, number, name) =
                        numbers.swap_remove(random(&mut state) % numbers.len());
                    queue.forget(line, number);
                    model.waiting.retain(|(_, known, _)| *known != name);
                }
                _ => {}
            }
            assert_eq!(model.next(), None, "a permit lies idle while somebody may have it");
            assert_eq!(queue.waiting(), model.waiting.len());
            assert_eq!(queue.free, model.free());
        }
    }
}
