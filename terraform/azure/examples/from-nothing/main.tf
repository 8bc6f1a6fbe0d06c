# From an empty subscription on: a namespace and a topic to try it with, and the rights to send a message and to read what was stored.

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

variable "name" {
  description = "What the namespace and the app are called; no other on Azure may be called so."
  type        = string
}

variable "package" {
  description = "Path of the package, as deploy/build makes it."
  type        = string
  default     = "persistor-azure-function.zip"
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  resource_providers_to_register = ["Microsoft.Insights", "Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.ServiceBus", "Microsoft.Storage", "Microsoft.Web"]
  features {}
}

provider "azapi" {
  subscription_id = var.subscription_id
}

data "azurerm_client_config" "me" {}

resource "azurerm_resource_group" "pipeline" {
  name     = "pipeline"
  location = "westeurope"
}

resource "azurerm_servicebus_namespace" "pipeline" {
  #checkov:skip=CKV_AZURE_199:A namespace to try it with; Standard has no encryption of one's own
  #checkov:skip=CKV_AZURE_201:As above
  #checkov:skip=CKV_AZURE_202:There is nothing in it that has an identity
  #checkov:skip=CKV_AZURE_204:The first message is sent from this machine
  name                = var.name
  resource_group_name = azurerm_resource_group.pipeline.name
  location            = azurerm_resource_group.pipeline.location
  sku                 = "Standard"
  local_auth_enabled  = false
  minimum_tls_version = "1.2"
}

resource "azurerm_resource_group" "archive" {
  name     = "archive"
  location = "westeurope"
}

module "orders" {
  source = "../.."

  name              = var.name
  resource_group_id = azurerm_resource_group.archive.id
  location          = azurerm_resource_group.archive.location
  package           = { path = var.package }
  stream            = "orders"

  entity = {
    topic = {
      namespace_id = azurerm_servicebus_namespace.pipeline.id
      name         = "orders"
      create       = {}
    }
  }
}

# Who applies this may send to the topic and read the archive.
resource "azurerm_role_assignment" "me" {
  for_each = { for role in module.orders.replayer_roles : role.role_definition_name => role.scope }

  scope                = each.value
  role_definition_name = each.key
  principal_id         = data.azurerm_client_config.me.object_id
}

output "archive_url" {
  description = "For the command line: persistor status -a URL"
  value       = module.orders.archive_url
}
