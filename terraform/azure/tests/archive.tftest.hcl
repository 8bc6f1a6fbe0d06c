# The archive: who can reach it, what guards it, and that it can be shared.

mock_provider "azurerm" {
  source          = "./tests/mocks/azurerm"
  override_during = plan
}

mock_provider "azapi" {
  source          = "./tests/mocks/azapi"
  override_during = plan
}

variables {
  name              = "contoso-orders-archive"
  resource_group_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive"
  location          = "westeurope"
  package           = { url = "https://example.com/releases/v1.0.0/persistor-azure-function.zip" }
  entity = {
    topic = {
      namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"
      name         = "orders"
    }
  }
}

run "closed" {
  command = plan

  assert {
    condition     = azurerm_storage_account.archive[0].shared_access_key_enabled == false && azurerm_storage_account.archive[0].default_to_oauth_authentication == true
    error_message = "no keys"
  }

  assert {
    condition     = azurerm_storage_account.archive[0].allow_nested_items_to_be_public == false && azurerm_storage_container.archive[0].container_access_type == "private"
    error_message = "nothing public"
  }

  assert {
    condition     = azurerm_storage_account.archive[0].min_tls_version == "TLS1_2" && azurerm_storage_account.archive[0].https_traffic_only_enabled
    error_message = "nothing unencrypted"
  }

  assert {
    condition     = azurerm_storage_account.archive[0].local_user_enabled == false && azurerm_storage_account.archive[0].cross_tenant_replication_enabled == false
    error_message = "no other ways in or out"
  }

  assert {
    condition     = azurerm_storage_account.archive[0].is_hns_enabled == false && azurerm_storage_account.archive[0].account_kind == "StorageV2" && azurerm_storage_account.archive[0].access_tier == "Hot"
    error_message = "names as the format has them, and the tier without a smallest size"
  }

  assert {
    condition     = azurerm_storage_account.archive[0].account_replication_type == "ZRS"
    error_message = "three zones"
  }

  assert {
    condition     = length(azurerm_storage_account.archive[0].customer_managed_key) == 0 && length(azurerm_storage_account.archive[0].identity) == 0 && length(azurerm_storage_account.archive[0].network_rules) == 0 && length(azurerm_storage_container_immutability_policy.archive) == 0 && azurerm_storage_account.archive[0].infrastructure_encryption_enabled == false
    error_message = "what is optional is off"
  }
}

run "guarded" {
  command = plan

  assert {
    condition     = azurerm_storage_account.archive[0].blob_properties[0].delete_retention_policy[0].days == 30 && azurerm_storage_account.archive[0].blob_properties[0].container_delete_retention_policy[0].days == 30
    error_message = "what is deleted comes back for a month"
  }

  assert {
    condition     = azapi_resource_action.archive_lock[0].method == "PUT" && azapi_resource_action.archive_lock[0].body.properties.level == "CanNotDelete"
    error_message = "the account must be locked against deletion"
  }

  assert {
    condition     = azapi_resource_action.archive_lock[0].resource_id == "${azurerm_storage_account.archive[0].id}/providers/Microsoft.Authorization/locks/persistor-archive" && startswith(azapi_resource_action.archive_lock[0].type, "Microsoft.Authorization/locks@")
    error_message = "the lock is on the archive's account"
  }

  assert {
    condition     = length(regexall("resource \"azapi_resource_action\" \"archive_lock\"", file("${path.module}/archive.tf"))) == 1 && length(regexall("azurerm_management_lock", file("${path.module}/archive.tf"))) == 0
    error_message = "a lock that Terraform manages would be destroyed first"
  }

  assert {
    condition     = alltrue([for text in [split("resource \"azapi_resource_action\" \"archive_lock\"", file("${path.module}/archive.tf"))[1], split("resource \"azurerm_role_assignment\" \"writer\"", file("${path.module}/identities.tf"))[1]] : strcontains(split("\n}\n", text)[0], "depends_on = [azurerm_storage_container.archive]")])
    error_message = "a locked account might not take its container, and a right needs the container that it is on"
  }

  assert {
    condition     = length(regexall("prevent_destroy = true", file("${path.module}/archive.tf"))) == 3
    error_message = "account, container and policy must refuse to be destroyed"
  }

  assert {
    condition     = length(regexall("azurerm_storage_management_policy", join("\n", [for name in fileset(path.module, "*.tf") : file("${path.module}/${name}")]))) == 0
    error_message = "nothing in the archive ever expires"
  }
}

run "without_a_lock" {
  command = plan

  variables {
    archive_account = { lock = false }
  }

  assert {
    condition     = length(azapi_resource_action.archive_lock) == 0
    error_message = "only where it is not wanted"
  }
}

run "made_otherwise" {
  command = plan

  variables {
    archive_account = { name = "contosoarchive", container = "messages", prefix = "/orders/", replication = "GZRS", soft_delete_days = 90, infrastructure_encryption = true }
  }

  assert {
    condition     = azurerm_storage_account.archive[0].name == "contosoarchive" && azurerm_storage_container.archive[0].name == "messages" && azurerm_storage_account.archive[0].account_replication_type == "GZRS" && azurerm_storage_account.archive[0].infrastructure_encryption_enabled
    error_message = "as asked"
  }

  assert {
    condition     = azurerm_storage_account.archive[0].blob_properties[0].delete_retention_policy[0].days == 90 && azurerm_storage_account.archive[0].blob_properties[0].container_delete_retention_policy[0].days == 90
    error_message = "for three months"
  }

  assert {
    condition     = local.app_settings.PERSISTOR_ARCHIVE == "az://contosoarchive/messages/orders" && output.archive_url == local.app_settings.PERSISTOR_ARCHIVE
    error_message = "the app must write there"
  }
}

run "immutable" {
  command = plan

  variables {
    archive_account = { immutability = { days = 90 } }
  }

  assert {
    condition     = azurerm_storage_container_immutability_policy.archive[0].immutability_period_in_days == 90 && azurerm_storage_container_immutability_policy.archive[0].storage_container_resource_manager_id == azurerm_storage_container.archive[0].id
    error_message = "a policy on the container"
  }

  assert {
    condition     = azurerm_storage_container_immutability_policy.archive[0].locked == false
    error_message = "which can still be undone"
  }
}

run "immutable_for_good" {
  command = plan

  variables {
    archive_account = { immutability = { days = 90, locked = true, locked_for_good = "nobody can ever shorten or remove this policy" } }
  }

  assert {
    condition     = azurerm_storage_container_immutability_policy.archive[0].locked
    error_message = "asked twice, it is done"
  }
}

run "own_key" {
  command = plan

  variables {
    archive_account = { customer_managed_key = { key_vault_key_id = "https://contoso.vault.azure.net/keys/archive", user_assigned_identity_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive/providers/Microsoft.ManagedIdentity/userAssignedIdentities/key" } }
  }

  assert {
    condition     = azurerm_storage_account.archive[0].customer_managed_key[0].key_vault_key_id == "https://contoso.vault.azure.net/keys/archive" && azurerm_storage_account.archive[0].customer_managed_key[0].user_assigned_identity_id == var.archive_account.customer_managed_key.user_assigned_identity_id
    error_message = "the key that was given"
  }

  assert {
    condition     = azurerm_storage_account.archive[0].identity[0].type == "UserAssigned" && azurerm_storage_account.archive[0].identity[0].identity_ids == toset([var.archive_account.customer_managed_key.user_assigned_identity_id])
    error_message = "and the identity that may use it"
  }
}

run "shared" {
  command = plan

  variables {
    archive = { storage_account_id = "/subscriptions/99999999-0000-0000-0000-000000000000/resourceGroups/vault/providers/Microsoft.Storage/storageAccounts/contosoarchive", container = "messages", prefix = "all", streams = ["payments"] }
    stream  = "orders"
  }

  assert {
    condition     = length(azurerm_storage_account.archive) == 0 && length(azurerm_storage_container.archive) == 0 && length(azapi_resource_action.archive_lock) == 0 && length(azurerm_storage_container_immutability_policy.archive) == 0
    error_message = "an archive that is there already is only referred to"
  }

  assert {
    condition     = local.app_settings.PERSISTOR_ARCHIVE == "az://contosoarchive/messages/all"
    error_message = "the app must write there"
  }

  assert {
    condition     = azurerm_role_assignment.writer.scope == "/subscriptions/99999999-0000-0000-0000-000000000000/resourceGroups/vault/providers/Microsoft.Storage/storageAccounts/contosoarchive/blobServices/default/containers/messages"
    error_message = "and may do so"
  }

  assert {
    condition     = azurerm_role_definition.writer.scope == "/subscriptions/99999999-0000-0000-0000-000000000000/resourceGroups/vault"
    error_message = "by a role that can be assigned there"
  }

  assert {
    condition     = azurerm_storage_account.host.name != "contosoarchive" && startswith(azapi_resource.app.body.properties.functionAppConfig.deployment.storage.value, "https://${azurerm_storage_account.host.name}.")
    error_message = "its host has an account of its own nevertheless"
  }

  assert {
    condition     = output.archive.streams == ["payments", "orders"] && output.archive.prefix == "all" && output.archive.container == "messages"
    error_message = "the next call must know both names"
  }

  assert {
    condition     = length([for name in keys(azurerm_monitor_metric_alert.this) : name if startswith(name, "storage")]) == 0
    error_message = "who made the archive watches it"
  }
}
