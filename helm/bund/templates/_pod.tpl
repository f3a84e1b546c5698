{{/* What every pod of this chart has: nothing of the Kubernetes API, nothing of the node, no right it does not need. */}}
{{- define "bund.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  {{- with .Values.runAsUser }}
  runAsUser: {{ . | int64 }}
  runAsGroup: {{ . | int64 }}
  fsGroup: {{ . | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every container of this chart has. */}}
{{- define "bund.container" -}}
image: {{ include "bund.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* The migration: the owner's credentials, and the name of the server's role. */}}
{{- define "bund.migration" -}}
name: migrate
{{ include "bund.container" . }}
args: [migrate, --server-role, $(DATABASE_SERVER_ROLE)]
env:
  {{- include "bund.database" (dict "context" . "role" "owner") | nindent 2 }}
  - name: DATABASE_SERVER_ROLE
    valueFrom:
      secretKeyRef:
        name: {{ .Values.database.server.existingSecret }}
        key: {{ .Values.database.server.usernameKey }}
  - name: BUND_LOG_FORMAT
    value: json
resources:
  {{- toYaml .Values.migrations.resources | nindent 2 }}
{{- end -}}

{{/* Seconds as milliseconds. */}}
{{- define "bund.milliseconds" -}}
{{- mul . 1000 -}}
{{- end -}}
