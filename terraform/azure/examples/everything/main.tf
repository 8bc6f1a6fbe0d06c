# All that can be had: a new topic with sessions and large messages, a network, a key of one's own, an immutability policy that can still be undone, a workspace that is there
# already, and alerts that tell somebody.

terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.12"
    }
  }
}

variable "subscription_id" {
  description = "The Azure subscription."
  type        = string
}

variable "namespace_id" {
  description = "Id of the topic's namespace: az servicebus namespace show --resource-group GROUP --name NAME --query id --output tsv"
  type        = string
}

variable "package_url" {
  description = "Address of a release's package, with its version in it."
  type        = string
  default     = "https://example.com/persistor/v0.1.0/persistor-azure-function.zip"
}

variable "subnet_id" {
  description = "Id of a subnet that is delegated to Microsoft.App/environments and has the service endpoint Microsoft.Storage."
  type        = string
}

variable "office_addresses" {
  description = "From where the archive is read."
  type        = list(string)
  default     = ["203.0.113.0/24"]
}

variable "key" {
  description = "The archive's key: the vault key's own id, without a version, and its id in Azure Resource Manager."
  type = object({
    key_id      = string
    resource_id = string
  })
}

variable "log_analytics_workspace_id" {
  description = "Id of the workspace that has everybody's logs."
  type        = string
}

variable "action_group_id" {
  description = "Id of the action group of those who are on call."
  type        = string
}

variable "readers_group_object_id" {
  description = "Object id of the Entra ID group whose members may read the archive."
  type        = string
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  resource_providers_to_register = ["Microsoft.App", "Microsoft.Insights", "Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.ServiceBus", "Microsoft.Storage", "Microsoft.Web"]
  features {}
}

provider "azapi" {
  subscription_id = var.subscription_id
}

resource "azurerm_resource_group" "archive" {
  name     = "archive"
  location = "westeurope"
}

# It must be able to use the key before the account is there.
resource "azurerm_user_assigned_identity" "key" {
  name                = "contoso-orders-archive-key"
  resource_group_name = azurerm_resource_group.archive.name
  location            = azurerm_resource_group.archive.location
}

resource "azurerm_role_assignment" "key" {
  scope                = var.key.resource_id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = azurerm_user_assigned_identity.key.principal_id
  principal_type       = "ServicePrincipal"
}

module "orders" {
  source = "../.."

  name              = "contoso-orders-archive"
  resource_group_id = azurerm_resource_group.archive.id
  location          = azurerm_resource_group.archive.location
  package           = { url = var.package_url }
  tags              = { owner = "integration" }
  stream            = "orders"

  entity = {
    topic = {
      namespace_id = var.namespace_id
      name         = "orders"
      sessions     = true
      create = {
        max_size_in_megabytes         = 81920
        max_message_size_in_kilobytes = 102400
      }
    }
  }

  # 64 + 4 × 100 × 8⅓ = 3,398 MB.
  largest_message_mb    = 100
  concurrent_calls      = 4
  instance_memory_mb    = 4096
  write_timeout_seconds = 60
  max_instances         = 100

  key_template = "{stream}/{shard:2}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"
  record       = "always"

  archive_account = {
    name             = "contosoordersarchive"
    prefix           = "messages"
    replication      = "GZRS"
    soft_delete_days = 90
    immutability     = { days = 365 }

    infrastructure_encryption = true
    customer_managed_key = {
      key_vault_key_id          = var.key.key_id
      user_assigned_identity_id = azurerm_user_assigned_identity.key.id
    }
  }

  network = {
    subnet_id        = var.subnet_id
    reader_ip_ranges = var.office_addresses
  }

  log_analytics_workspace_id = var.log_analytics_workspace_id
  log_daily_cap_gb           = 0.5

  alerts = {
    action_group_ids = [var.action_group_id]
    size_percent     = 40
    backlog          = 100000
    idle             = false
  }

  depends_on = [azurerm_role_assignment.key]
}

resource "azurerm_role_assignment" "readers" {
  scope                = module.orders.reader_role.scope
  role_definition_name = module.orders.reader_role.role_definition_name
  principal_id         = var.readers_group_object_id
}

output "archive_url" {
  description = "For the command line: persistor status -a URL"
  value       = module.orders.archive_url
}
