# Two topics and one archive. Each has its own app, since a plan of Flex Consumption holds one, and with it its own identity, rights and alerts.

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

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true

  resource_providers_to_register = ["Microsoft.Insights", "Microsoft.ManagedIdentity", "Microsoft.OperationalInsights", "Microsoft.ServiceBus", "Microsoft.Storage", "Microsoft.Web"]
  features {}
}

provider "azapi" {
  subscription_id = var.subscription_id
}

resource "azurerm_resource_group" "archive" {
  name     = "archive"
  location = "westeurope"
}

# Makes the archive.
module "orders" {
  source = "../.."

  name              = "contoso-orders-archive"
  resource_group_id = azurerm_resource_group.archive.id
  location          = azurerm_resource_group.archive.location
  package           = { url = var.package_url }
  stream            = "orders"

  entity = {
    topic = {
      namespace_id = var.namespace_id
      name         = "orders"
    }
  }
}

# Shares it. A third call would take module.payments.archive, so that no stream's name stands twice, and write its logs to the same workspace or to one of its own.
module "payments" {
  source = "../.."

  name              = "contoso-payments-archive"
  resource_group_id = azurerm_resource_group.archive.id
  location          = azurerm_resource_group.archive.location
  package           = { url = var.package_url }
  archive           = module.orders.archive
  stream            = "payments"

  entity = {
    topic = {
      namespace_id = var.namespace_id
      name         = "payments"
    }
  }
}

output "archive_url" {
  description = "For the command line: persistor streams -a URL"
  value       = module.orders.archive_url
}
