# The package, put into the app. The provider's own zip deployment asks for an address that Flex Consumption does not have, so:
#
# - a `url` is handed to Azure Resource Manager's `onedeploy`, which fetches it into the app's container;
# - a `path` is sent by the Azure CLI to the app's own deployment service, since onedeploy takes only what it can fetch without credentials, and the accounts here give no signed
#   addresses.

locals {
  app_parts = split("/", var.resource_group_id)
}

resource "azapi_resource_action" "package" {
  count = var.package.url == null ? 0 : 1

  type        = "Microsoft.Web/sites@2024-04-01"
  resource_id = azapi_resource.app.id
  action      = "extensions/onedeploy"
  method      = "PUT"
  body = {
    properties = {
      packageUri  = var.package.url
      remoteBuild = false
    }
  }

  # Roles, and a new app's deployment service, take minutes to be there everywhere.
  retry = {
    error_message_regex  = ["(?i)forbidden", "403", "AuthorizationPermissionMismatch", "BlobUploadFailed", "(?i)service unavailable", "502", "503"]
    interval_seconds     = 20
    max_interval_seconds = 60
  }
  timeouts {
    create = "15m"
    update = "15m"
  }

  depends_on = [azapi_update_resource.no_passwords]

  lifecycle {
    # An app that was made anew is empty.
    replace_triggered_by = [azapi_resource.app.id]
  }
}

resource "terraform_data" "package" {
  count = var.package.path == null ? 0 : 1

  triggers_replace = [azapi_resource.app.id, filesha256(var.package.path)]

  provisioner "local-exec" {
    # Ten attempts half a minute apart, for the reason above.
    command = <<-EOT
      command -v az >/dev/null || { echo 'package.path needs the Azure CLI: install az and sign in, or give package.url' >&2; exit 1; }
      for attempt in 1 2 3 4 5 6 7 8 9 10; do
        az functionapp deployment source config-zip --subscription "$SUBSCRIPTION" --resource-group "$GROUP" --name "$APP" --src "$PACKAGE" --output none && exit 0
        sleep 30
      done
      exit 1
    EOT
    environment = {
      SUBSCRIPTION = local.app_parts[2]
      GROUP        = local.app_parts[4]
      APP          = var.name
      PACKAGE      = var.package.path
    }
  }

  depends_on = [azapi_update_resource.no_passwords]
}
