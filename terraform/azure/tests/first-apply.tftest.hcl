# Each example as it is planned the first time, when no resource has an id yet: nothing that decides what is made may hang on one.

mock_provider "azurerm" {
  source = "./tests/mocks/azurerm"
}

mock_provider "azapi" {
  source = "./tests/mocks/azapi"
}

run "topic" {
  command = plan

  module {
    source = "./examples/topic"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    namespace_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"
    package         = "./tests/examples.tftest.hcl"
  }

  assert {
    condition     = module.orders.function == "ServiceBusTopic"
    error_message = "the plan must come about before anything has an id"
  }
}

run "event_hub" {
  command = plan

  module {
    source = "./examples/event-hub"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    namespace_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.EventHub/namespaces/contoso"
  }

  assert {
    condition     = module.clicks.function == "EventHubs"
    error_message = "the plan must come about before anything has an id"
  }
}

run "queue_behind" {
  command = plan

  module {
    source = "./examples/queue-behind"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    namespace_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"

  }

  assert {
    condition     = module.orders.function == "ServiceBusQueue"
    error_message = "the plan must come about before anything has an id"
  }
}

run "several" {
  command = plan

  module {
    source = "./examples/several"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    namespace_id    = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"

  }

  assert {
    condition     = module.orders.function == "ServiceBusTopic"
    error_message = "the plan must come about before anything has an id"
  }
}

run "everything" {
  command = plan

  module {
    source = "./examples/everything"
  }

  variables {
    subscription_id            = "00000000-0000-0000-0000-000000000000"
    namespace_id               = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/pipeline/providers/Microsoft.ServiceBus/namespaces/contoso"
    subnet_id                  = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.Network/virtualNetworks/main/subnets/app"
    log_analytics_workspace_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.OperationalInsights/workspaces/all"
    action_group_id            = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.Insights/actionGroups/oncall"
    readers_group_object_id    = "66666666-6666-6666-6666-666666666666"
    key                        = { key_id = "https://contoso.vault.azure.net/keys/archive", resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/shared/providers/Microsoft.KeyVault/vaults/contoso/keys/archive" }
  }

  assert {
    condition     = module.orders.function == "ServiceBusTopicSessions"
    error_message = "the plan must come about before anything has an id"
  }
}

run "from_nothing" {
  command = plan

  module {
    source = "./examples/from-nothing"
  }

  variables {
    subscription_id = "00000000-0000-0000-0000-000000000000"
    name            = "contoso-orders"
    package         = "./tests/first-apply.tftest.hcl"
  }

  assert {
    condition     = module.orders.function == "ServiceBusTopic"
    error_message = "the plan must come about before anything has an id"
  }
}
