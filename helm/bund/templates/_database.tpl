{{/* Where the database is and as whom: variables of a container. Takes the context and `owner` or `server`. */}}
{{- define "bund.database" -}}
{{- $role := index .context.Values.database .role -}}
{{- $secret := $role.existingSecret -}}
{{- if and (not $secret) (eq .role "owner") (eq .context.Values.database.mode "cnpg") -}}
{{- $secret = printf "%s-app" (include "bund.clusterName" .context) -}}
{{- end -}}
- name: DATABASE_USER
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ $role.usernameKey }}
- name: DATABASE_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ $role.passwordKey }}
# Not as a URL: a password would have to be percent-encoded in one.
- name: BUND_DATABASE_URL
  value: {{ printf "host=%s port=%d dbname=%s target_session_attrs=read-write user='$(DATABASE_USER)' password='$(DATABASE_PASSWORD)'" (include "bund.databaseHost" .context) (.context.Values.database.port | int) .context.Values.database.name | quote }}
{{- end -}}

{{- define "bund.databaseHost" -}}
{{- if eq .Values.database.mode "cnpg" -}}
{{- printf "%s-rw" (include "bund.clusterName" .) -}}
{{- else -}}
{{- .Values.database.host -}}
{{- end -}}
{{- end -}}

{{/* Connections one pod may open: docs/settings.md. The last three hear of registrations, seal the trail, and prove things of it. */}}
{{- define "bund.connectionsOfAPod" -}}
{{- $searches := .Values.database.connectionsMax | int -}}
{{- $walks := max 1 (div $searches 4) -}}
{{- add $searches $walks (.Values.database.auditConnections | int) (.Values.server.workers | int) 3 -}}
{{- end -}}

{{/* Pods there may be at once: one more while a new version rolls out. */}}
{{- define "bund.podsMax" -}}
{{- if .Values.autoscaling.enabled -}}
{{- add1 (.Values.autoscaling.maxReplicas | int) -}}
{{- else -}}
{{- add1 (.Values.replicaCount | int) -}}
{{- end -}}
{{- end -}}

{{/* What a NetworkPolicy says of the database: `to`, or nothing if it is not known. */}}
{{- define "bund.databasePeers" -}}
{{- if eq .Values.database.mode "cnpg" -}}
- podSelector:
    matchLabels:
      cnpg.io/cluster: {{ include "bund.clusterName" . }}
{{- else if .Values.networkPolicy.egress.database -}}
{{- toYaml .Values.networkPolicy.egress.database -}}
{{- else if regexMatch "^[0-9]+(\\.[0-9]+){3}$" .Values.database.host -}}
- ipBlock:
    cidr: {{ .Values.database.host }}/32
{{- end -}}
{{- end -}}
