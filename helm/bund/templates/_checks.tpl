{{/* Values that contradict each other: every one of them in a sentence, all at once. */}}
{{- define "bund.check" -}}
{{- $problems := list -}}
{{- with include "bund.problems" . -}}
{{- fail (printf "these values cannot work together:\n%s" .) -}}
{{- end -}}
{{- end -}}

{{- define "bund.problems" -}}
{{- $values := .Values -}}
{{- $database := $values.database -}}
{{- $policy := $values.networkPolicy -}}
{{- if not (or $values.image.registry $values.global.imageRegistry) }}
- image.registry is empty: nobody publishes the image; name the registry you pushed it to (`localhost`, if it was loaded into the nodes)
{{- end }}
{{- include "bund.connectionProblems" . }}
{{- if eq $database.mode "external" }}
{{- if and (eq $database.owner.existingSecret $database.server.existingSecret) (eq $database.owner.usernameKey $database.server.usernameKey) }}
- database.owner and database.server name the same role: the server must not own the audit trail; make a second login role and a secret for it
{{- end }}
{{- else if eq $values.migrations.mode "hook" }}
- migrations.mode is `hook` and database.mode is `cnpg`: the job would wait for a database that is made after it; use `initContainer`
{{- end }}
{{- if and $database.cnpg.backup.enabled (not (and $database.cnpg.backup.destinationPath $database.cnpg.backup.existingSecret)) }}
- database.cnpg.backup is enabled: give its destinationPath (`s3://bucket/folder`) and existingSecret
{{- end }}
{{- if and $database.cnpg.backup.enabled (ne $database.mode "cnpg") }}
- database.cnpg.backup is enabled, but database.mode is `external`: whoever runs that database backs it up
{{- end }}
{{- $needed := add $values.server.preStopSleepSeconds $values.server.drainSeconds 5 | int }}
{{- if lt ($values.server.terminationGracePeriodSeconds | int) $needed }}
- server.terminationGracePeriodSeconds is {{ $values.server.terminationGracePeriodSeconds }}: {{ $values.server.preStopSleepSeconds }} of preStopSleepSeconds, {{ $values.server.drainSeconds }} of drainSeconds and 5 need {{ $needed }} at least
{{- end }}
{{- if and $values.autoscaling.enabled (gt ($values.autoscaling.minReplicas | int) ($values.autoscaling.maxReplicas | int)) }}
- autoscaling.minReplicas {{ $values.autoscaling.minReplicas }} is more than maxReplicas {{ $values.autoscaling.maxReplicas }}
{{- end }}
{{- if and $values.autoscaling.enabled (not (dig "requests" "cpu" "" $values.resources)) }}
- autoscaling is enabled: it aims at a share of resources.requests.cpu, which is missing
{{- end }}
{{- with dig "limits" "cpu" "" $values.resources }}
{{- $milli := ternary (trimSuffix "m" (toString .) | int) (mulf (float64 (toString .)) 1000 | int) (hasSuffix "m" (toString .)) }}
{{- $threads := mul 4 (max 1 (div $milli 1000)) | int }}
{{- if gt ($values.server.workers | int) $threads }}
- server.workers is {{ $values.server.workers }}: with resources.limits.cpu {{ . }} there are connections for {{ $threads }} threads; lower the one or raise the other
{{- end }}
{{- end }}
{{- if or $values.ingress.enabled $values.httpRoute.enabled }}
{{- if ne (urlParse $values.baseUrl).path "/fhir" }}
- baseUrl is {{ $values.baseUrl }}: Ingress and HTTPRoute change no paths, and the server's is /fhir; let it end with that
{{- end }}
{{- if and $policy.enabled (not $policy.ingressFrom) }}
- networkPolicy.ingressFrom is empty: name who brings the requests in, such as `- namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}`
{{- end }}
{{- end }}
{{- if and $values.httpRoute.enabled (not $values.httpRoute.parentRefs) }}
- httpRoute is enabled: name its Gateway in httpRoute.parentRefs
{{- end }}
{{- if and $values.ingress.tls.clusterIssuer (not $values.ingress.tls.secretName) }}
- ingress.tls.clusterIssuer is set: name the secret for the certificate in ingress.tls.secretName
{{- end }}
{{- with $values.keycloak }}
{{- if and .realm.enabled (not (and .realm.portalUrl .realm.ehrJwksUrl)) }}
- keycloak.realm is enabled: give its portalUrl and ehrJwksUrl
{{- end }}
{{- if and .import.enabled (not (and .realm.enabled .import.image .import.url .import.existingSecret)) }}
- keycloak.import is enabled: enable keycloak.realm too, and give the import's image, url and existingSecret
{{- end }}
{{- end }}
{{- if $policy.enabled }}
{{- if not (include "bund.databasePeers" .) }}
- networkPolicy.egress.database is empty and database.host is no IPv4 address: say where PostgreSQL is, such as `- ipBlock: {cidr: 10.0.0.5/32}`
{{- end }}
{{- if and $values.telemetry.otlpEndpoint (not $policy.egress.otlp) }}
- telemetry.otlpEndpoint is set: say in networkPolicy.egress.otlp where the collector is
{{- end }}
{{- if and $values.metrics.serviceMonitor.enabled (not $policy.metricsFrom) }}
- metrics.serviceMonitor is enabled: say in networkPolicy.metricsFrom where Prometheus is, such as `- namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}`
{{- end }}
{{- end }}
{{- end -}}

{{- define "bund.connectionProblems" -}}
{{- $database := .Values.database -}}
{{- $of := include "bund.connectionsOfAPod" . | int -}}
{{- $pods := include "bund.podsMax" . | int -}}
{{- $migration := ternary 0 4 (eq .Values.migrations.mode "manual") -}}
{{- $needed := add (mul $of $pods) $migration | int -}}
{{- $there := sub $database.maxConnections $database.reservedConnections | int -}}
{{- if gt $needed $there }}
- database.maxConnections is {{ $database.maxConnections }}, of which {{ $database.reservedConnections }} are reserved: {{ $pods }} pods (one more while a version rolls out) with {{ $of }} connections each ({{ $database.connectionsMax }} connectionsMax, {{ max 1 (div ($database.connectionsMax | int) 4) }} for walks, {{ $database.auditConnections }} auditConnections, {{ .Values.server.workers }} workers, 3) and {{ $migration }} of a migration are {{ $needed }}, not {{ $there }}; raise max_connections of PostgreSQL and the value, or lower connectionsMax or the number of pods
{{- end }}
{{- end -}}
