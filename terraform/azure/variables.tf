variable "name" {
  description = "Name of the function app, which all other names are made from. It is part of a host name, so no app on Azure may have it yet."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,57}[a-z0-9]$", var.name))
    error_message = "name is 4 to 59 lower-case letters, digits and dashes, begins with a letter and does not end with a dash, such as \"contoso-orders-archive\"."
  }
}

variable "resource_group_id" {
  description = "Id of the resource group that everything is made in, apart from what belongs to the namespace."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+$", var.resource_group_id))
    error_message = "resource_group_id is the whole id, such as \"/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/archive\"; azurerm_resource_group.archive.id has this form."
  }
}

variable "location" {
  description = "Region, such as `westeurope`: the namespace's own, so that messages do not cross regions, and one that has Flex Consumption (`az functionapp list-flexconsumption-locations`)."
  type        = string
  nullable    = false
}

variable "entity" {
  description = <<-EOT
    What is archived: exactly one of `topic`, `queue` and `event_hub`, by its namespace's id and its own name. The namespace is there already.

    - `topic`: gets a subscription of its own, `subscription`. `sessions` where the archive should be given a session's messages one after the other. `create` makes the topic too, not
      partitioned. `queue_behind` forwards the subscription to a queue of the archive's own, so that a stalled archive fills that queue and not the topic; a message's number and time
      are then the queue's. What was made holds messages, so a change that would destroy or replace it is refused: another `subscription` or `sessions`, and leaving `create` or
      `queue_behind` out again.
    - `queue`: is read as its only consumer; every message that the archive takes is gone from the queue. So it must be the archive's own, such as the target of a `forward_to`, and
      `consent` must say so.
    - `event_hub`: gets a consumer group of its own, `consumer_group`. Basic namespaces cannot have one.
  EOT
  type = object({
    topic = optional(object({
      namespace_id = string
      name         = string
      subscription = optional(string, "persistor")
      sessions     = optional(bool, false)
      create = optional(object({
        max_size_in_megabytes         = optional(number, 5120)
        max_message_size_in_kilobytes = optional(number)
      }))
      queue_behind = optional(object({
        name                  = string
        max_size_in_megabytes = optional(number, 5120)
      }))
    }))
    queue = optional(object({
      namespace_id = string
      name         = string
      sessions     = optional(bool, false)
      consent      = optional(string, "")
    }))
    event_hub = optional(object({
      namespace_id   = string
      name           = string
      consumer_group = optional(string, "persistor")
    }))
  })
  nullable = false

  validation {
    condition     = length([for one in [var.entity.topic, var.entity.queue, var.entity.event_hub] : true if one != null]) == 1
    error_message = "entity holds exactly one of topic, queue and event_hub, such as { topic = { namespace_id = azurerm_servicebus_namespace.main.id, name = \"orders\" } }; several entities are several calls that share an archive."
  }

  validation {
    condition = alltrue([for one in [var.entity.topic, var.entity.queue] :
      one == null ? true : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.ServiceBus/namespaces/[^/]+$", one.namespace_id))
    ])
    error_message = "namespace_id of a topic or queue is a Service Bus namespace's whole id, such as \"/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ServiceBus/namespaces/NAME\"."
  }

  validation {
    condition     = var.entity.event_hub == null ? true : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.EventHub/namespaces/[^/]+$", var.entity.event_hub.namespace_id))
    error_message = "namespace_id of an event hub is an Event Hubs namespace's whole id, such as \"/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.EventHub/namespaces/NAME\"."
  }

  validation {
    condition     = alltrue([for one in [var.entity.topic, var.entity.queue, var.entity.event_hub, try(var.entity.topic.queue_behind, null)] : one == null ? true : can(regex("^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_])?$", one.name))])
    error_message = "name of a topic, queue or event hub has letters, digits, dots, dashes and underscores, such as \"orders\"; names with a slash are not taken."
  }

  validation {
    condition     = var.entity.event_hub == null ? true : try(split("/", var.entity.event_hub.namespace_id)[2] == split("/", var.resource_group_id)[2], false)
    error_message = "an event hub's namespace must be in the subscription of resource_group_id, since a consumer group is named within the provider's subscription: give a resource group of that subscription."
  }

  validation {
    condition     = var.entity.event_hub == null ? true : !contains(["$default", ""], lower(var.entity.event_hub.consumer_group))
    error_message = "consumer_group is one of the archive's own: others may read by $Default and would take its place. Leave it out for \"persistor\"."
  }

  validation {
    condition     = var.entity.queue == null ? true : var.entity.queue.consent == "the archive is the only consumer of this queue"
    error_message = "a queue's messages go to one consumer: the archive would take them from those that read it now. Archive the topic in front of it instead, or let the queue forward to one of the archive's own; for such a queue say consent = \"the archive is the only consumer of this queue\"."
  }

  validation {
    condition     = try(var.entity.topic.queue_behind, null) == null || !try(var.entity.topic.sessions, false)
    error_message = "Service Bus does not forward from a subscription with sessions: take sessions = false with queue_behind (the archive needs no sessions; a record has the session id either way), or leave queue_behind out."
  }

  validation {
    condition     = try(lower(var.entity.topic.queue_behind.name) != lower(var.entity.topic.name), true)
    error_message = "a queue cannot be called as a topic of its namespace, in whatever capitals: call the queue behind it \"${try(var.entity.topic.name, "orders")}-archive\"."
  }

  validation {
    condition = alltrue([for size in [try(var.entity.topic.create.max_size_in_megabytes, 1024), try(var.entity.topic.queue_behind.max_size_in_megabytes, 1024)] :
      contains([1024, 2048, 3072, 4096, 5120, 10240, 20480, 40960, 81920], size)
    ])
    error_message = "max_size_in_megabytes is 1024, 2048, 3072, 4096 or 5120, and on Premium also 10240, 20480, 40960 or 81920."
  }

  validation {
    condition     = var.entity.topic == null ? true : can(regex("^[A-Za-z0-9]([A-Za-z0-9._-]{0,48}[A-Za-z0-9])?$", var.entity.topic.subscription))
    error_message = "subscription is 1 to 50 letters, digits, dots, dashes and underscores, begins and ends with a letter or digit, such as \"persistor\"."
  }
}

variable "package" {
  description = <<-EOT
    The function app's package, exactly one of `url` and `path`.

    - `url`: a https address that Azure fetches without credentials, such as that of a release; it names its version, since a change of the address is what makes Terraform deploy again.
    - `path`: a zip on this machine, sent with the Azure CLI (`az`, signed in). It is deployed again when its content changes.
  EOT
  type = object({
    url  = optional(string)
    path = optional(string)
  })
  nullable = false

  validation {
    condition     = (var.package.url == null) != (var.package.path == null)
    error_message = "package holds exactly one of url and path, such as { path = \"persistor-azure-function.zip\" }."
  }

  validation {
    condition     = var.package.url == null ? true : can(regex("^https://[^/]+/.+", var.package.url))
    error_message = "package.url begins with https://, such as \"https://example.com/releases/v1.0.0/persistor-azure-function.zip\"."
  }

  validation {
    condition     = var.package.path == null ? true : try(fileexists(var.package.path), false)
    error_message = "package.path is no file: build one with deploy/build azure persistor-azure-function.zip, and give its path."
  }
}

variable "archive" {
  description = <<-EOT
    An archive that is there already, to share it: the output `archive` of another call, or a storage account's id and a container that were made by hand. Without it this call
    makes account and container, by `archive_account`. Alerts on an archive's storage are made by the call that makes it: who made it by hand makes them by hand, too.

    `streams` are the names that are taken: pass one call's output on to the next, and a name that stands twice is refused.
  EOT
  type = object({
    storage_account_id = string
    container          = string
    prefix             = optional(string, "")
    streams            = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.archive == null ? true : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Storage/storageAccounts/[a-z0-9]{3,24}$", var.archive.storage_account_id))
    error_message = "archive.storage_account_id is the whole id, such as \"/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Storage/storageAccounts/NAME\"."
  }

  validation {
    condition     = var.archive == null ? true : can(regex("^[a-z0-9](-?[a-z0-9]){2,62}$", var.archive.container)) && length(var.archive.container) <= 63
    error_message = "archive.container is 3 to 63 lower-case letters, digits and single dashes, such as \"archive\"."
  }

  validation {
    condition     = var.archive == null ? true : can(regex("^/?([A-Za-z0-9-][A-Za-z0-9._-]*(/|$))*$", var.archive.prefix))
    error_message = "archive.prefix is made of letters, digits, dots, dashes and underscores between slashes, and no part of it begins with a dot or an underscore, such as \"messages/eu\"."
  }
}

variable "archive_account" {
  description = <<-EOT
    How the archive's storage account and container are made, where `archive` is not given. Nothing in it ever expires.

    - `name`: 3 to 24 lower-case letters and digits; without it, made from the app's name.
    - `container`, `prefix`: where in the account.
    - `replication`: `ZRS` (three zones), `LRS`, `GRS`, `RAGRS`, `GZRS` or `RAGZRS`.
    - `soft_delete_days`: how long deleted blobs and containers can be brought back.
    - `lock`: a CanNotDelete lock on the account, which Terraform makes and never takes off again.
    - `immutability`: a policy on the container, for `days`. `locked` cannot be undone, nor shortened, by anybody; it is done only if `locked_for_good` also says so in words.
    - `customer_managed_key`: a Key Vault key (without a version it follows rotation) and an identity that may use it. Who deletes the key deletes the archive.
    - `infrastructure_encryption`: a second encryption beneath the first.
  EOT
  type = object({
    name             = optional(string)
    container        = optional(string, "archive")
    prefix           = optional(string, "")
    replication      = optional(string, "ZRS")
    soft_delete_days = optional(number, 30)
    lock             = optional(bool, true)
    immutability = optional(object({
      days            = number
      locked          = optional(bool, false)
      locked_for_good = optional(string, "")
    }))
    customer_managed_key = optional(object({
      key_vault_key_id          = string
      user_assigned_identity_id = string
    }))
    infrastructure_encryption = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition = var.archive == null || jsonencode(var.archive_account) == jsonencode({
      name = null, container = "archive", prefix = "", replication = "ZRS", soft_delete_days = 30, lock = true, immutability = null, customer_managed_key = null, infrastructure_encryption = false
    })
    error_message = "archive names an account that is there already, so archive_account, which says how to make one, must be left out: set it in the call that makes the account."
  }

  validation {
    condition     = var.archive_account.name == null ? true : can(regex("^[a-z0-9]{3,24}$", var.archive_account.name))
    error_message = "archive_account.name is 3 to 24 lower-case letters and digits, such as \"contosoordersarchive\"."
  }

  validation {
    condition     = can(regex("^[a-z0-9](-?[a-z0-9]){2,62}$", var.archive_account.container)) && length(var.archive_account.container) <= 63
    error_message = "archive_account.container is 3 to 63 lower-case letters, digits and single dashes, such as \"archive\"."
  }

  validation {
    condition     = can(regex("^/?([A-Za-z0-9-][A-Za-z0-9._-]*(/|$))*$", var.archive_account.prefix))
    error_message = "archive_account.prefix is made of letters, digits, dots, dashes and underscores between slashes, and no part of it begins with a dot or an underscore, such as \"messages/eu\"."
  }

  validation {
    condition     = contains(["LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS"], var.archive_account.replication)
    error_message = "archive_account.replication is one of LRS, ZRS, GRS, RAGRS, GZRS and RAGZRS; ZRS where the region has zones, else LRS."
  }

  validation {
    condition     = var.archive_account.soft_delete_days >= 7 && var.archive_account.soft_delete_days <= 365
    error_message = "archive_account.soft_delete_days is 7 to 365, such as 30: below a week a deletion is easily noticed too late."
  }

  validation {
    condition     = var.archive_account.immutability == null ? true : var.archive_account.immutability.days >= 1 && var.archive_account.immutability.days <= 146000
    error_message = "archive_account.immutability.days is 1 to 146000, such as 90."
  }

  validation {
    condition     = try(var.archive_account.immutability.locked, false) == (try(var.archive_account.immutability.locked_for_good, "") == "nobody can ever shorten or remove this policy")
    error_message = "a locked immutability policy cannot be undone by anybody, Microsoft included. Try it with locked = false first; if it is meant, say both locked = true and locked_for_good = \"nobody can ever shorten or remove this policy\"."
  }
}

variable "stream" {
  description = "The stream's name in the archive; without it, made from the entity: `NAMESPACE.TOPIC.SUBSCRIPTION`, `NAMESPACE.QUEUE` or `NAMESPACE.HUB`. A stream belongs to one entity."
  type        = string
  default     = null

  validation {
    condition     = var.stream == null ? true : length(var.stream) > 0 && length(var.stream) <= 120
    error_message = "stream is 1 to 120 characters, such as \"orders\"."
  }

  validation {
    condition     = !contains(try(var.archive.streams, []), coalesce(var.stream, local.entity_stream))
    error_message = "this stream's name is taken in the archive by another entity: give another one, such as \"orders-eu\"."
  }
}

variable "key_template" {
  description = <<-EOT
    How blobs are named; without it `{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}`. Blob Storage spreads its load over ranges of names, and names that go on with the time, as
    these do, fall into one range for each stream: good for some thousand blobs a second.
    Above that put `{shard:2}/` in front of the time; a minute is then in 256 places.
  EOT
  type        = string
  default     = null

  # The program's own rules, which FORMAT.md has; it would end with each fault, and messages would wait.
  validation {
    condition     = var.key_template == null ? true : can(regex("^([A-Za-z0-9._/-]|\\{(stream|id|attribute:[^|}]+\\|[^}]*|shard:[1-8]|time:(%[YmdHMS]|[A-Za-z0-9._/-])*)\\})*\\{digest\\}$", var.key_template))
    error_message = "key_template is made of letters, digits, \".\", \"_\", \"-\" and \"/\", of the fields {stream}, {time:%Y/%m/%d/%H/%M%S}, {id}, {attribute:NAME|DEFAULT} and {shard:1} to {shard:8}, and of {digest} at its very end, such as \"{stream}/{shard:2}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}\"."
  }

  validation {
    condition     = var.key_template == null ? true : length(regexall("\\{stream\\}", var.key_template)) == 1 && length(regexall("\\{id\\}", var.key_template)) == 1 && length(regexall("\\{shard:", var.key_template)) <= 1
    error_message = "key_template holds {stream} and {id} once each, and {shard:…} at most once: ids are unique within one entity, and entities that share an archive are told apart by their streams. \"{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}\" has both."
  }

  validation {
    condition     = var.key_template == null ? true : contains(["%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"], join("", regexall("%[A-Za-z]", join("", flatten(regexall("\\{time:([^}]*)\\}", var.key_template))))))
    error_message = "key_template holds a date down to the day at least, each part once and in the order %Y %m %d %H %M %S, such as {time:%Y/%m/%d}."
  }

  validation {
    condition     = var.key_template == null ? true : alltrue([for segment in split("/", replace(var.key_template, "/\\{attribute:[^}]*\\}/", "{attribute}")) : segment != "" && length(regexall("\\{(stream|id|attribute)\\}", segment)) <= 1])
    error_message = "key_template has one of {stream}, {id} and {attribute:…} between two slashes at most, and something between any two, such as \"{stream}/{time:%Y/%m/%d}/{id}-{digest}\"."
  }

  validation {
    condition     = var.key_template == null ? true : !can(regex("(^|[/}:]|%[A-Za-z])[._]|[.]([/{%}]|$)", replace(var.key_template, "/\\{attribute:[^}]*\\}/", "{attribute}")))
    error_message = "no text between fields and slashes of key_template begins with a dot or an underscore or ends with a dot: part fields by dashes, such as {time:%Y-%m-%d}."
  }
}

variable "record" {
  description = "`auto`: a message's record stands in its blob's metadata where it fits; `always`: it is a blob of its own as well, which outlives downloads and copies that lose metadata, at the price of a second write."
  type        = string
  default     = "auto"
  nullable    = false

  validation {
    condition     = contains(["auto", "always"], var.record)
    error_message = "record is \"auto\" or \"always\"."
  }
}

variable "deadline_seconds" {
  description = "Seconds in which a message of Service Bus is tried again and again before it is given back, and its delivery counted; without it 240. Event hubs count no deliveries."
  type        = number
  default     = null

  validation {
    condition     = var.deadline_seconds == null || var.entity.event_hub == null
    error_message = "deadline_seconds is for topics and queues: leave it out with an event hub, whose partitions wait until their events are stored."
  }

  validation {
    condition     = coalesce(var.deadline_seconds, 240) >= 30 && coalesce(var.deadline_seconds, 240) <= 270
    error_message = "deadline_seconds is 30 to 270: it must end half a minute before the lock of 5 minutes does, or a message is delivered again while it is still tried. 240 is right."
  }
}

variable "max_delivery_count" {
  description = "Deliveries after which the subscription, or the queue behind it, gives a message to its dead letters. Times the deadline, it is how long the archive's storage may be out: 2000 × 240 s are 5 days 13 hours."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.max_delivery_count >= 1 && var.max_delivery_count <= 2000 && floor(var.max_delivery_count) == var.max_delivery_count
    error_message = "max_delivery_count is a whole number up to 2000, the most that Service Bus takes, and the right value."
  }

  validation {
    condition     = var.max_delivery_count * coalesce(var.deadline_seconds, 240) >= 4 * 3600
    error_message = "max_delivery_count times deadline_seconds must be 4 hours or more: an hour without storage must not dead-letter anything, and restarts and crashes are deliveries too. With 240 seconds that is 60; 2000 is right."
  }
}

variable "write_timeout_seconds" {
  description = "Total seconds for one attempt to write a blob durably, the client's own retries included."
  type        = number
  default     = 8
  nullable    = false

  validation {
    condition     = var.write_timeout_seconds >= 1 && var.write_timeout_seconds * 2 <= (var.entity.event_hub == null ? coalesce(var.deadline_seconds, 240) : 45)
    error_message = "write_timeout_seconds is at least 1 and at most half the deadline (240 seconds unless set, 45 with an event hub), so that a write is tried twice or more: 8, or 60 for messages of 100 MB."
  }
}

variable "largest_message_mb" {
  description = "Size of the largest message in MB: 1 holds for Service Bus Standard, and for Premium and Event Hubs unless they were set otherwise; Premium can be set to 100."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.largest_message_mb > 0 && var.largest_message_mb <= 100
    error_message = "largest_message_mb is above 0 and up to 100, such as 1."
  }

  validation {
    condition     = coalesce(try(var.entity.topic.create.max_message_size_in_kilobytes, null), 0) <= var.largest_message_mb * 1024
    error_message = "the new topic takes messages of ${coalesce(try(var.entity.topic.create.max_message_size_in_kilobytes, null), 0)} KB: say largest_message_mb = ${ceil(coalesce(try(var.entity.topic.create.max_message_size_in_kilobytes, null), 0) / 1024)}, so that instances are reckoned for them."
  }
}

variable "concurrent_calls" {
  description = "Messages of Service Bus (or sessions) that one instance stores at the same time. The platform adds instances by this number."
  type        = number
  default     = 16
  nullable    = false

  validation {
    condition     = var.concurrent_calls >= 1 && var.concurrent_calls <= 64 && floor(var.concurrent_calls) == var.concurrent_calls
    error_message = "concurrent_calls is a whole number from 1 to 64, such as 16."
  }
}

variable "instance_memory_mb" {
  description = "Memory of one instance in MB: 512, 2048 or 4096. It is billed while an instance works, so 512 is the cheapest for sparse streams of small messages."
  type        = number
  default     = 2048
  nullable    = false

  validation {
    condition     = contains([512, 2048, 4096], var.instance_memory_mb)
    error_message = "instance_memory_mb is 512, 2048 or 4096, the sizes of Flex Consumption."
  }

  validation {
    condition     = var.entity.event_hub == null || var.instance_memory_mb >= 2048
    error_message = "an event hub needs instance_memory_mb = 2048 or more: a call carries eight events of up to 1 MB for each partition, and one that is too large would stop its partition for ever."
  }

  validation {
    condition     = var.entity.event_hub != null || 64 + ceil(var.concurrent_calls * var.largest_message_mb * 25 / 3) <= var.instance_memory_mb
    error_message = "an instance of ${var.instance_memory_mb} MB is too small: ${var.concurrent_calls} messages of ${var.largest_message_mb} MB at a time take 64 + ${var.concurrent_calls} × ${var.largest_message_mb} × 8⅓ = ${64 + ceil(var.concurrent_calls * var.largest_message_mb * 25 / 3)} MB. Take more memory, or concurrent_calls = ${max(1, floor((var.instance_memory_mb - 64) * 3 / 25 / var.largest_message_mb))}."
  }

  validation {
    condition     = var.largest_message_mb * 4 / 3 + 1 <= (var.instance_memory_mb == 512 ? 16 : 144)
    error_message = "instances of 512 MB take calls of 16 MiB, messages of 11 MB: take instance_memory_mb = 2048 for larger ones."
  }
}

variable "max_instances" {
  description = "Most instances that the platform may run at a time: with 16 calls each and some 40 ms a write, 40 instances could store some 16,000 messages a second, more than date-first names do."
  type        = number
  default     = 40
  nullable    = false

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 1000 && floor(var.max_instances) == var.max_instances
    error_message = "max_instances is a whole number from 1 to 1000, such as 40 (Flex Consumption's documentation calls 40 the lowest)."
  }
}

variable "network" {
  description = <<-EOT
    Without it the storage accounts can be reached from everywhere, by those whom Entra ID lets in. With it the app goes out through `subnet_id` (delegated to
    `Microsoft.App/environments`, with the service endpoint `Microsoft.Storage`), and an archive that this call
    makes admits that subnet, `reader_subnet_ids` and `reader_ip_ranges`, and nobody else.
  EOT
  type = object({
    subnet_id         = string
    reader_subnet_ids = optional(list(string), [])
    reader_ip_ranges  = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.network == null ? true : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Network/virtualNetworks/[^/]+/subnets/[^/]+$", var.network.subnet_id))
    error_message = "network.subnet_id is the whole id of a subnet, such as \"/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Network/virtualNetworks/NETWORK/subnets/NAME\"."
  }
}

variable "cloud" {
  description = "`public`, `usgovernment` or `china`: where blobs and namespaces have their host names."
  type        = string
  default     = "public"
  nullable    = false

  validation {
    condition     = contains(["public", "usgovernment", "china"], var.cloud)
    error_message = "cloud is \"public\", \"usgovernment\" or \"china\"."
  }
}

variable "log_level" {
  description = "How much the program says: `info` is silent about what was stored."
  type        = string
  default     = "info"
  nullable    = false

  validation {
    condition     = contains(["error", "warn", "info", "debug"], var.log_level)
    error_message = "log_level is \"error\", \"warn\", \"info\" or \"debug\"; below \"info\" the line that says what is served is missing."
  }
}

variable "log_daily_cap_gb" {
  description = "GB of logs a day, after which Application Insights takes no more until the next day. 0.1 is 3 GB a month: within the 5 GB that are free of charge, else some 7 dollars. Alerts on metrics do not need logs."
  type        = number
  default     = 0.1
  nullable    = false

  validation {
    condition     = var.log_daily_cap_gb >= 0.05 && var.log_daily_cap_gb <= 100
    error_message = "log_daily_cap_gb is 0.05 to 100, such as 0.1."
  }
}

variable "log_analytics_workspace_id" {
  description = "Id of a Log Analytics workspace for the logs; without it this call makes one."
  type        = string
  default     = null

  validation {
    condition     = var.log_analytics_workspace_id == null ? true : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.OperationalInsights/workspaces/[^/]+$", var.log_analytics_workspace_id))
    error_message = "log_analytics_workspace_id is the whole id, such as \"/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.OperationalInsights/workspaces/NAME\"."
  }
}

variable "alerts" {
  description = <<-EOT
    Alerts, and whom they tell: `action_group_ids` (without any, they show in the portal only). Metrics of a topic count all of its subscriptions, so for a topic whose other
    subscriptions hold messages or dead letters raise `backlog` and `dead_letters`.

    - `size_percent`: of the topic's or queue's largest size; a full one refuses its producers. Of a partitioned one that is there already in a Standard namespace the provider tells a
      sixteenth of that size, and the alert comes as early.
    - `backlog`: messages that wait.
    - `dead_letters`: messages given up.
    - `idle`: whether a day without a single call is worth an alert.
  EOT
  type = object({
    enabled          = optional(bool, true)
    action_group_ids = optional(list(string), [])
    size_percent     = optional(number, 60)
    backlog          = optional(number, 10000)
    dead_letters     = optional(number, 0)
    idle             = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.alerts.size_percent >= 1 && var.alerts.size_percent <= 90
    error_message = "alerts.size_percent is 1 to 90, such as 60: at 100 the topic refuses its producers."
  }

  validation {
    condition     = alltrue([for id in var.alerts.action_group_ids : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.Insights/actionGroups/[^/]+$", id))])
    error_message = "alerts.action_group_ids are whole ids, such as \"/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Insights/actionGroups/NAME\"."
  }
}

variable "tags" {
  description = "Tags of everything that can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}
