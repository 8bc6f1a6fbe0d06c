# The module's own text, for what a plan cannot show: that there is nothing else, and what waits for what.

locals {
  text = join("\n", [for file in sort(fileset("${path.module}/../..", "*.tf")) : file("${path.module}/../../${file}")])
}

output "text" {
  description = "All its files, one after the other."
  value       = local.text
}

output "depends_on" {
  description = "By resource: what its depends_on names."
  value = { for block in slice(split("\nresource \"", local.text), 1, length(split("\nresource \"", local.text))) :
    join(".", regex("^([a-z0-9_]+)\" \"([a-z0-9_]+)\"", block)) => flatten([for list in flatten(regexall("\n  depends_on = \\[([^\\]]*)\\]", block)) : regexall("[a-z0-9_]+\\.[a-z0-9_]+", list)])
  }
}

output "everything" {
  description = "The text of the example that has the most."
  value       = file("${path.module}/../../examples/everything/main.tf")
}
