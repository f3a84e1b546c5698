{{/* What is unsafe in the chosen values; NOTES.txt prints it. */}}
{{- define "bund.warnings" -}}
{{- $values := .Values -}}
{{- $database := $values.database }}
- UNENCRYPTED: the server does not speak TLS to PostgreSQL yet; records and passwords cross the network between them in the clear. Keep it private, or encrypt it below (WireGuard in the network plugin).
{{- if hasPrefix "http:" $values.baseUrl }}
- UNENCRYPTED: baseUrl begins with http: tokens and records are in the clear for clients. For trying things out only.
{{- else if not (or $values.ingress.enabled $values.httpRoute.enabled) }}
- Neither ingress nor httpRoute is enabled: whatever ends TLS for {{ include "bund.host" . }} is yours to set up.
{{- else if and $values.ingress.enabled (not $values.ingress.tls.secretName) }}
- ingress.tls.secretName is empty: clients get the ingress controller's own certificate.
{{- end }}
{{- if and (or $values.ingress.enabled $values.httpRoute.enabled) (not $values.server.trustedProxies) }}
- server.trustedProxies is empty: the audit trail shows the proxy's address, not the client's.
{{- end }}
{{- if not $values.audit.keySecret }}
- audit.keySecret is empty: whoever administers the database can sign the audit trail too.
{{- end }}
{{- if not $values.networkPolicy.enabled }}
- networkPolicy is off: every pod of the cluster reaches the server, and the server reaches everything.
{{- else }}
{{- if not $values.networkPolicy.ingressFrom }}
- networkPolicy.ingressFrom is empty: nobody but `helm test` reaches the server.
{{- end }}
{{- if not $values.networkPolicy.egress.identityProviders }}
- networkPolicy.egress.identityProviders is empty: issuers' keys cannot be fetched, and every token is refused.
{{- end }}
{{- end }}
{{- if and (not $values.autoscaling.enabled) (lt ($values.replicaCount | int) 2) }}
- replicaCount is {{ $values.replicaCount }}: every restart of the pod is an interruption.
{{- end }}
{{- if not $values.podDisruptionBudget.enabled }}
- podDisruptionBudget is off: draining nodes may take all pods at once.
{{- end }}
{{- if not (include "bund.atLeast" (dict "context" . "version" "1.30.0")) }}
- Kubernetes {{ .Capabilities.KubeVersion.Version }} is older than 1.30: pods cannot wait before they stop, so a rollout may break off a few requests.
{{- end }}
{{- if not $values.image.digest }}
- image.digest is empty: a tag can be moved to another program.
{{- end }}
{{- if eq $database.mode "cnpg" }}
{{- if lt ($database.cnpg.instances | int) 3 }}
- database.cnpg.instances is {{ $database.cnpg.instances }}: acknowledged writes are lost with the disk of the primary. From 3 on they are not.
{{- end }}
{{- if not $database.cnpg.backup.enabled }}
- NO BACKUP: database.cnpg.backup is off.
{{- end }}
{{- else }}
- Backups of {{ $database.host }} are not made by this release.
{{- end }}
{{- if not (and $values.metrics.serviceMonitor.enabled $values.metrics.prometheusRule.enabled) }}
- metrics.serviceMonitor or prometheusRule is off: nobody is called when the audit trail cannot be written.
{{- end }}
{{- end -}}
