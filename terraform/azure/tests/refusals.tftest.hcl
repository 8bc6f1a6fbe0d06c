# What is refused, before anything is made: each relation between limits that could lose messages or money, and each input that Azure would refuse later.

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

run "two_entities" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders" }, event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  expect_failures = [var.entity]
}

run "no_entity" {
  command = plan

  variables {
    entity = {}
  }

  expect_failures = [var.entity]
}

run "a_live_queue" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive" } }
  }

  expect_failures = [var.entity]
}

run "a_live_queue_in_other_words" {
  command = plan

  variables {
    entity = { queue = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders-archive", consent = "yes" } }
  }

  expect_failures = [var.entity]
}

run "sessions_and_a_queue_behind" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", sessions = true, queue_behind = { name = "orders-archive" } } }
  }

  expect_failures = [var.entity]
}

run "a_namespace_by_name" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "contoso", name = "orders" } }
  }

  expect_failures = [var.entity]
}

run "a_hub_in_a_service_bus" {
  command = plan

  variables {
    entity = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "clicks" } }
  }

  expect_failures = [var.entity]
}

run "a_hub_in_another_subscription" {
  command = plan

  variables {
    entity = { event_hub = { namespace_id = "/subscriptions/99999999-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  expect_failures = [var.entity]
}

run "others_consumer_group" {
  command = plan

  variables {
    entity = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks", consumer_group = "$Default" } }
  }

  expect_failures = [var.entity]
}

run "a_size_that_there_is_not" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", create = { max_size_in_megabytes = 1000 } } }
  }

  expect_failures = [var.entity]
}

run "a_size_behind_that_there_is_not" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", queue_behind = { name = "orders-archive", max_size_in_megabytes = 6000 } } }
  }

  expect_failures = [var.entity]
}

run "a_subscription_with_a_long_name" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", subscription = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" } }
  }

  expect_failures = [var.entity]
}

run "a_deadline_beyond_the_lock" {
  command = plan

  variables {
    deadline_seconds = 300
  }

  expect_failures = [var.deadline_seconds]
}

run "a_deadline_that_only_just_fits" {
  command = plan

  variables {
    deadline_seconds = 271
  }

  expect_failures = [var.deadline_seconds]
}

run "a_deadline_without_patience" {
  command = plan

  variables {
    deadline_seconds = 10
  }

  expect_failures = [var.deadline_seconds]
}

run "a_deadline_for_a_hub" {
  command = plan

  variables {
    deadline_seconds = 240
    entity           = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  expect_failures = [var.deadline_seconds]
}

run "ten_deliveries" {
  command = plan

  variables {
    max_delivery_count = 10
  }

  expect_failures = [var.max_delivery_count]
}

run "few_deliveries_for_the_deadline" {
  command = plan

  variables {
    max_delivery_count = 60
    deadline_seconds   = 200
  }

  expect_failures = [var.max_delivery_count]
}

run "more_deliveries_than_there_are" {
  command = plan

  variables {
    max_delivery_count = 2001
  }

  expect_failures = [var.max_delivery_count]
}

run "a_write_as_long_as_the_deadline" {
  command = plan

  variables {
    write_timeout_seconds = 130
  }

  expect_failures = [var.write_timeout_seconds]
}

run "a_write_too_long_for_a_hub" {
  command = plan

  variables {
    write_timeout_seconds = 60
    entity                = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  expect_failures = [var.write_timeout_seconds]
}

run "a_size_of_instances_that_there_is_not" {
  command = plan

  variables {
    instance_memory_mb = 1024
  }

  expect_failures = [var.instance_memory_mb]
}

run "a_hub_on_small_instances" {
  command = plan

  variables {
    instance_memory_mb = 512
    entity             = { event_hub = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso", name = "clicks" } }
  }

  expect_failures = [var.instance_memory_mb]
}

run "messages_too_large_for_the_calls" {
  command = plan

  variables {
    largest_message_mb = 100
  }

  expect_failures = [var.instance_memory_mb]
}

run "calls_too_many_for_the_instance" {
  command = plan

  variables {
    instance_memory_mb = 512
    largest_message_mb = 4
  }

  expect_failures = [var.instance_memory_mb]
}

run "messages_too_large_for_a_body" {
  command = plan

  variables {
    instance_memory_mb = 512
    largest_message_mb = 12
    concurrent_calls   = 2
  }

  expect_failures = [var.instance_memory_mb]
}

run "messages_larger_than_there_are" {
  command = plan

  variables {
    largest_message_mb = 101
    concurrent_calls   = 1
  }

  expect_failures = [var.largest_message_mb]
}

run "no_calls" {
  command = plan

  variables {
    concurrent_calls = 0
  }

  expect_failures = [var.concurrent_calls]
}

run "too_many_instances" {
  command = plan

  variables {
    max_instances = 1001
  }

  expect_failures = [var.max_instances]
}

run "a_lock_for_good_said_once" {
  command = plan

  variables {
    archive_account = { immutability = { days = 90, locked = true } }
  }

  expect_failures = [var.archive_account]
}

run "a_lock_for_good_said_by_mistake" {
  command = plan

  variables {
    archive_account = { immutability = { days = 90, locked_for_good = "nobody can ever shorten or remove this policy" } }
  }

  expect_failures = [var.archive_account]
}

run "a_policy_of_no_days" {
  command = plan

  variables {
    archive_account = { immutability = { days = 0 } }
  }

  expect_failures = [var.archive_account]
}

run "a_deletion_that_is_soon_final" {
  command = plan

  variables {
    archive_account = { soft_delete_days = 1 }
  }

  expect_failures = [var.archive_account]
}

run "an_account_with_a_dash" {
  command = plan

  variables {
    archive_account = { name = "contoso-archive" }
  }

  expect_failures = [var.archive_account]
}

run "an_account_with_a_long_name" {
  command = plan

  variables {
    archive_account = { name = "contosoordersarchiveabcde" }
  }

  expect_failures = [var.archive_account]
}

run "a_container_with_capitals" {
  command = plan

  variables {
    archive_account = { container = "Archive" }
  }

  expect_failures = [var.archive_account]
}

run "a_replication_that_there_is_not" {
  command = plan

  variables {
    archive_account = { replication = "XRS" }
  }

  expect_failures = [var.archive_account]
}

run "making_what_is_there" {
  command = plan

  variables {
    archive         = { storage_account_id = "/subscriptions/0/resourceGroups/vault/providers/Microsoft.Storage/storageAccounts/contosoarchive", container = "messages" }
    archive_account = { soft_delete_days = 90 }
  }

  expect_failures = [var.archive_account]
}

run "an_archive_by_name" {
  command = plan

  variables {
    archive = { storage_account_id = "contosoarchive", container = "messages" }
  }

  expect_failures = [var.archive]
}

run "an_archive_with_an_odd_container" {
  command = plan

  variables {
    archive = { storage_account_id = "/subscriptions/0/resourceGroups/vault/providers/Microsoft.Storage/storageAccounts/contosoarchive", container = "a--b" }
  }

  expect_failures = [var.archive]
}

run "a_stream_that_is_taken" {
  command = plan

  variables {
    archive = { storage_account_id = "/subscriptions/0/resourceGroups/vault/providers/Microsoft.Storage/storageAccounts/contosoarchive", container = "messages", streams = ["orders"] }
    stream  = "orders"
  }

  expect_failures = [var.stream]
}

run "a_stream_that_is_taken_unsaid" {
  command = plan

  variables {
    archive = { storage_account_id = "/subscriptions/0/resourceGroups/vault/providers/Microsoft.Storage/storageAccounts/contosoarchive", container = "messages", streams = ["contoso.orders.persistor"] }
  }

  expect_failures = [var.stream]
}

run "an_empty_stream" {
  command = plan

  variables {
    stream = ""
  }

  expect_failures = [var.stream]
}

run "a_template_without_a_digest" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y/%m/%d}-{id}"
  }

  expect_failures = [var.key_template]
}

run "a_template_without_an_id" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y/%m/%d}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_template_without_a_date" {
  command = plan

  variables {
    key_template = "{stream}/{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_record_of_another_kind" {
  command = plan

  variables {
    record = "never"
  }

  expect_failures = [var.record]
}

run "a_level_that_there_is_not" {
  command = plan

  variables {
    log_level = "verbose"
  }

  expect_failures = [var.log_level]
}

run "no_package" {
  command = plan

  variables {
    package = {}
  }

  expect_failures = [var.package]
}

run "two_packages" {
  command = plan

  variables {
    package = { url = "https://example.com/a.zip", path = "./tests/refusals.tftest.hcl" }
  }

  expect_failures = [var.package]
}

run "a_package_without_encryption" {
  command = plan

  variables {
    package = { url = "http://example.com/a.zip" }
  }

  expect_failures = [var.package]
}

run "a_package_that_is_not_there" {
  command = plan

  variables {
    package = { path = "./nothing.zip" }
  }

  expect_failures = [var.package]
}

run "a_name_with_capitals" {
  command = plan

  variables {
    name = "Contoso"
  }

  expect_failures = [var.name]
}

run "a_group_by_name" {
  command = plan

  variables {
    resource_group_id = "archive"
  }

  expect_failures = [var.resource_group_id]
}

run "a_cloud_that_there_is_not" {
  command = plan

  variables {
    cloud = "germany"
  }

  expect_failures = [var.cloud]
}

run "no_logs" {
  command = plan

  variables {
    log_daily_cap_gb = 0
  }

  expect_failures = [var.log_daily_cap_gb]
}

run "a_workspace_by_name" {
  command = plan

  variables {
    log_analytics_workspace_id = "all"
  }

  expect_failures = [var.log_analytics_workspace_id]
}

run "an_alert_when_it_is_too_late" {
  command = plan

  variables {
    alerts = { size_percent = 100 }
  }

  expect_failures = [var.alerts]
}

run "an_action_group_by_name" {
  command = plan

  variables {
    alerts = { action_group_ids = ["oncall"] }
  }

  expect_failures = [var.alerts]
}

run "a_network_by_name" {
  command = plan

  variables {
    network = { subnet_id = "app" }
  }

  expect_failures = [var.network]
}

run "the_least_that_is_enough" {
  command = plan

  variables {
    deadline_seconds      = 270
    max_delivery_count    = 54
    write_timeout_seconds = 120
    instance_memory_mb    = 512
    largest_message_mb    = 3.3
  }

  assert {
    condition     = local.app_settings.PERSISTOR_DEADLINE == "270s" && azurerm_servicebus_subscription.archive[0].max_delivery_count == 54
    error_message = "each limit is met exactly, and taken"
  }
}

run "a_topic_with_a_slash" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "eu/orders" } }
  }

  expect_failures = [var.entity]
}

run "a_prefix_that_is_reserved" {
  command = plan

  variables {
    archive_account = { prefix = "messages/_persistor" }
  }

  expect_failures = [var.archive_account]
}

run "a_shared_prefix_that_is_reserved" {
  command = plan

  variables {
    archive = { storage_account_id = "/subscriptions/0/resourceGroups/vault/providers/Microsoft.Storage/storageAccounts/contosoarchive", container = "messages", prefix = ".hidden" }
  }

  expect_failures = [var.archive]
}

run "a_topic_for_larger_messages_than_said" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", create = { max_message_size_in_kilobytes = 102400 } } }
  }

  expect_failures = [var.largest_message_mb]
}

run "a_queue_behind_with_the_topics_name" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", queue_behind = { name = "orders" } } }
  }

  expect_failures = [var.entity]
}

run "a_name_that_is_too_short" {
  command = plan

  variables {
    name = "abc"
  }

  expect_failures = [var.name]
}

run "a_template_without_a_stream" {
  command = plan

  variables {
    key_template = "{time:%Y/%m/%d}/{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_template_with_an_unknown_field" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y/%m/%d}/{foo}{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_template_down_to_the_year" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y}/{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_template_out_of_order" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y/%d/%m}/{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_template_that_cannot_be_read_back" {
  command = plan

  variables {
    key_template = "{time:%Y/%m/%d}/{stream}-{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_template_with_an_empty_part" {
  command = plan

  variables {
    key_template = "{stream}//{time:%Y/%m/%d}/{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_template_with_underscores" {
  command = plan

  variables {
    key_template = "{stream}/{time:%Y_%m_%d}/{id}-{digest}"
  }

  expect_failures = [var.key_template]
}

run "a_queue_behind_with_the_topics_name_in_capitals" {
  command = plan

  variables {
    entity = { topic = { namespace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso", name = "orders", queue_behind = { name = "ORDERS" } } }
  }

  expect_failures = [var.entity]
}
