{{/* Names, labels and the image. */}}

{{- define "bund.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for whatever is put behind it. */}}
{{- define "bund.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "bund.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "bund.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What a selector may hold: it never changes. Takes the context and a component. */}}
{{- define "bund.selector" -}}
app.kubernetes.io/name: {{ include "bund.name" .context }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object. Takes the context and a component. */}}
{{- define "bund.labels" -}}
{{ include "bund.selector" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .context.Values.commonLabels }}
{{ tpl (toYaml .) $.context }}
{{- end }}
{{- end -}}

{{- define "bund.image" -}}
{{- $image := .Values.image -}}
{{- $registry := .Values.global.imageRegistry | default $image.registry -}}
{{- $name := printf "%s/%s" $registry $image.repository -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "bund.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "bund.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The host of baseUrl, without its port. */}}
{{- define "bund.host" -}}
{{- (urlParse .Values.baseUrl).hostname -}}
{{- end -}}

{{- define "bund.clusterName" -}}
{{- printf "%s-db" (include "bund.fullname" .) -}}
{{- end -}}

{{/* Whether the cluster is as new as a version: "yes" or nothing. */}}
{{- define "bund.atLeast" -}}
{{- if semverCompare (printf ">=%s-0" .version) .context.Capabilities.KubeVersion.Version -}}yes{{- end -}}
{{- end -}}
