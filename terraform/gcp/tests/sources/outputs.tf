# The module's own text, for what a plan cannot show: that there is nothing else.

output "text" {
  description = "All its files, one after the other."
  value       = join("\n", [for file in sort(fileset("${path.module}/../..", "*.tf")) : file("${path.module}/../../${file}")])
}
