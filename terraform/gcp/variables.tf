# What to archive, and where.

variable "project" {
  description = "Id of the project that gets everything. An existing topic may be in another one."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "`project` is a project's id, such as \"my-project\": 6 to 30 lower-case letters, digits and hyphens. It is neither its number nor its display name."
  }
}

variable "region" {
  description = "Region of the service and of new buckets. Choose the topic's: traffic inside a region costs nothing."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "`region` is a region, such as \"europe-west1\", not a zone and not a multi-region."
  }
}

variable "name" {
  description = "What the names of all resources begin with. A second call of the module in the same project needs another one."
  type        = string
  default     = "persistor"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name)) && !startswith(var.name, "goog")
    error_message = "`name` has 2 to 20 lower-case letters, digits and hyphens, such as \"persistor\", and does not begin with \"goog\": names of service accounts, which are made of it, have 30 characters."
  }
}

variable "streams" {
  description = <<-TEXT
    What to archive, by the stream's name in the archive. Each stream is one subscription of its own to one topic.

    - `topic`: the full name of an existing topic, `projects/PROJECT/topics/TOPIC`, which is only referred to; with `create_topic` the short name of a new one.
    - `create_topic`: whether the topic is made here.
    - `ordering`: whether messages with the same ordering key are delivered in order. It cannot be changed later without a new subscription.
    - `dead_letters`: whether a message goes to a dead-letter topic after 100 attempts. Its copy has another id and time, and an outage that is long enough moves the backlog there.
    - `may_rest`: whether a day without a message is usual, and no alert.
    - `filter`, together with `filter_drops_messages = true`: archives only the messages whose attributes match. All others are acknowledged unseen and never archived.
    - `message_transforms`, `expiration_ttl`: declared only so that they are refused; what is not declared would be passed over in silence.
  TEXT
  type = map(object({
    topic                 = string
    create_topic          = optional(bool, false)
    ordering              = optional(bool, false)
    dead_letters          = optional(bool, false)
    may_rest              = optional(bool, false)
    filter                = optional(string)
    filter_drops_messages = optional(bool, false)
    message_transforms    = optional(any)
    expiration_ttl        = optional(string)
  }))
  nullable = false

  validation {
    condition     = length(var.streams) > 0
    error_message = "`streams` names nothing to archive. One stream is streams = { orders = { topic = \"projects/my-project/topics/orders\" } }."
  }

  # What is written to a key, a URL's path and a subscription's name as it is, without an escape.
  validation {
    condition = alltrue([for stream in keys(var.streams) :
      can(regex("^[A-Za-z0-9-][A-Za-z0-9._-]*$", stream)) && length(stream) <= 120 && !endswith(stream, ".") && stream != "health"
    ])
    error_message = "A stream's name has up to 120 letters, digits, `.`, `_` and `-`, does not begin with `.` or `_`, does not end with `.`, and is not \"health\", where the service answers its probes. \"orders\" is right."
  }

  validation {
    condition = alltrue([for stream in values(var.streams) :
      can(regex("^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", stream.topic)) && !startswith(stream.topic, "goog") if stream.create_topic
    ])
    error_message = "With `create_topic = true`, `topic` is the short name of a new topic, such as \"orders\": 3 to 255 characters, a letter first, and not \"goog\" at the beginning. The project is `project`."
  }

  validation {
    condition = alltrue([for stream in values(var.streams) :
      can(regex("^projects/[^/]+/topics/[^/]+$", stream.topic)) if !stream.create_topic
    ])
    error_message = "`topic` is the full name of an existing topic, such as \"projects/my-project/topics/orders\". For a new one, set `create_topic = true` and its short name."
  }

  # A topic has a name in one of two forms; both are compared in full.
  validation {
    condition = alltrue([for stream in values(var.streams) :
      length([for topic in [for other in values(var.streams) : other.create_topic ? "projects/${var.project}/topics/${other.topic}" : other.topic] : topic
        if topic == (stream.create_topic ? "projects/${var.project}/topics/${stream.topic}" : stream.topic)
      ]) == 1
      if stream.filter == null
    ])
    error_message = "Two streams have the same topic, and one of them has no `filter`: what both get would be stored, and paid for, twice. Leave one of them out, or give each of them a `filter`."
  }

  validation {
    condition     = alltrue([for stream, one in var.streams : !contains(keys(var.streams), "${stream}-dead-letters") if one.dead_letters])
    error_message = "A stream with `dead_letters` has a second subscription, whose name ends with \"-dead-letters\", and another stream has that name. Name the other one differently, such as \"orders-dead\" beside \"orders\"."
  }

  validation {
    condition     = alltrue([for stream in values(var.streams) : stream.filter == null || stream.filter_drops_messages])
    error_message = "A `filter` acknowledges every message that does not match, unseen: those are never archived, and no alert tells of them. Leave `filter` out, or say so with `filter_drops_messages = true`."
  }

  validation {
    condition     = alltrue([for stream in values(var.streams) : length(coalesce(stream.filter, "-")) <= 256])
    error_message = "A `filter` has at most 256 bytes, such as attributes.tenant = \"north\"."
  }

  validation {
    condition     = alltrue([for stream in values(var.streams) : stream.message_transforms == null])
    error_message = "`message_transforms` alters messages before they are stored, so what is archived is not what was published. Leave it out (null); transform on the subscriptions of those who need it. The topic must have none either: gcloud pubsub topics describe TOPIC."
  }

  validation {
    condition     = alltrue([for stream in values(var.streams) : stream.expiration_ttl == null || stream.expiration_ttl == ""])
    error_message = "A subscription that expires is deleted with its backlog when its topic rests, and nothing is archived from then on. Leave `expiration_ttl` out: the subscription never expires."
  }

  # The longest filter of an alert has 2,048 characters, of which some 200 are not names.
  validation {
    condition     = length(join("\",\"", [for stream in keys(var.streams) : "${var.name}-${stream}"])) <= 1800
    error_message = "The names of all subscriptions together have more than 1,800 characters, too many for one alert. Divide `streams` between two calls of the module with different `name`s and the same `bucket`."
  }
}

variable "key_template" {
  description = "How the names of blobs are made. One that begins with a stream and a date, as this does, stores about 1,000 messages a second for a stream, since every minute is a new range of names in the bucket; above some 800 put a shard in front, `{shard:2}/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}`. An archive whose template changes is still found whole."
  type        = string
  default     = "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}"
  nullable    = false

  validation {
    condition     = can(regex("\\{stream\\}", var.key_template)) && can(regex("\\{time:%Y.*%m.*%d.*\\}", var.key_template)) && can(regex("\\{id\\}.*\\{digest\\}$", var.key_template))
    error_message = "`key_template` holds `{stream}`, `{id}` and a date down to the day, and ends with `{digest}`, such as \"{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}\". All its rules are in FORMAT.md; the service checks them when it starts."
  }

  # Of all that is a field, no brace is left.
  validation {
    condition     = !can(regex("[{}]", replace(var.key_template, "/\\{(stream|id|digest|time:[^}]*|attribute:[^|}]+\\|[^}]*|shard:[1-8])\\}/", "")))
    error_message = "`key_template` has a field that there is not. There are `{stream}`, `{time:%Y/%m/%d/%H/%M%S}`, `{id}`, `{attribute:NAME|DEFAULT}`, `{shard:2}` and `{digest}`."
  }
}

# The program.

variable "package" {
  description = <<-TEXT
    The program: exactly one of `path`, `url` with `sha256`, and `image`.

    - `path`: the package on this machine, `persistor-gcp-function.tar.gz`.
    - `url` and `sha256`: the package of a release, which is downloaded here with curl and checked before it is used.
    - `image`: an image in a registry that Cloud Run can read, best with its digest, `…@sha256:…`.
  TEXT
  type = object({
    path   = optional(string)
    url    = optional(string)
    sha256 = optional(string)
    image  = optional(string)
  })
  default = {
    path = "persistor-gcp-function.tar.gz"
  }
  nullable = false

  validation {
    condition     = length([for one in [var.package.path, var.package.url, var.package.image] : one if one != null]) == 1
    error_message = "`package` is exactly one of `path`, `url` (with `sha256`) and `image`, such as { path = \"persistor-gcp-function.tar.gz\" }."
  }

  validation {
    condition     = var.package.path == null ? true : fileexists(var.package.path)
    error_message = "There is no file at `package.path`. Build it, or download it from a release; or set { url = \"https://…/persistor-gcp-function.tar.gz\", sha256 = \"…\" }."
  }

  validation {
    condition     = alltrue([for file in [var.package.path, var.package.url] : can(regex("\\.(tar\\.gz|tgz|zip)$", file)) if file != null])
    error_message = "A package is a .tar.gz (or .zip) with the program at its root, such as \"persistor-gcp-function.tar.gz\"."
  }

  validation {
    condition     = var.package.url == null || can(regex("^https://[^\\s'\"]+$", var.package.url))
    error_message = "`package.url` begins with https://."
  }

  validation {
    condition     = var.package.url == null ? var.package.sha256 == null : can(regex("^[0-9a-f]{64}$", var.package.sha256))
    error_message = "`package.sha256` belongs to `package.url`: the 64 lower-case hex digits that the release says, or that `sha256sum persistor-gcp-function.tar.gz` prints."
  }
}

variable "concurrency" {
  description = "Messages that one instance stores at the same time. All of them must fit into `memory_mib` at `largest_message`."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.concurrency >= 1 && var.concurrency <= 1000 && floor(var.concurrency) == var.concurrency
    error_message = "`concurrency` is a whole number from 1 to 1,000, such as 10."
  }
}

variable "largest_message" {
  description = "Bytes of the largest message that is expected, for which `concurrency` and `memory_mib` are reckoned. Larger ones, up to Pub/Sub's 10,000,000, are stored as well, fewer at a time."
  type        = number
  default     = 10000000
  nullable    = false

  validation {
    condition     = var.largest_message >= 1000 && var.largest_message <= 10000000
    error_message = "`largest_message` is from 1,000 to 10,000,000 bytes, which is the most that Pub/Sub takes."
  }
}

variable "memory_mib" {
  description = "Memory of an instance in MiB, of which all but 128 MiB are for messages in flight."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mib >= 512 && var.memory_mib <= 32768 && floor(var.memory_mib) == var.memory_mib
    error_message = "`memory_mib` is a whole number from 512 to 32,768, such as 512."
  }

  # A body is base64 in an envelope with up to 64 KiB of names and attributes; it is held with its decoded copy, three quarters of it, and 256 KiB for
  # its connection. So much is reserved for it by the program, too.
  validation {
    condition     = var.memory_mib - 128 >= var.concurrency * (1.75 * (var.largest_message * 4 / 3 + 65536) + 262144) / 1048576
    error_message = "`memory_mib` is too small: ${var.concurrency} messages of ${var.largest_message} bytes at a time do not fit, and would be refused and delivered again, at your expense. Set memory_mib = ${ceil(var.concurrency * (1.75 * (var.largest_message * 4 / 3 + 65536) + 262144) / 1048576) + 128}, or concurrency = ${max(1, floor((var.memory_mib - 128) * 1048576 / (1.75 * (var.largest_message * 4 / 3 + 65536) + 262144)))}."
  }
}

variable "cpu" {
  description = "CPUs of an instance."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = contains([1, 2, 4, 8], var.cpu)
    error_message = "`cpu` is 1, 2, 4 or 8. With less than one, Cloud Run gives an instance one message at a time."
  }

  validation {
    condition     = var.memory_mib >= lookup({ "4" = 2048, "8" = 4096 }, tostring(var.cpu), 0)
    error_message = "Cloud Run wants memory for its CPUs: set memory_mib = ${lookup({ "4" = 2048, "8" = 4096 }, tostring(var.cpu), 512)} or more, or cpu = 1."
  }
}

variable "max_instances" {
  description = "Instances at most: the bound of what a flood of messages can cost. What does not fit waits with Pub/Sub. 10 instances with 10 messages each store some 1,000 to 2,000 messages a second, about what a bucket takes at once."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_instances >= 1 && var.max_instances <= 1000 && floor(var.max_instances) == var.max_instances
    error_message = "`max_instances` is a whole number from 1 to 1,000, such as 10."
  }
}

# Time: each of these must be given up before the next one is.

variable "write_timeout_seconds" {
  description = "Time for storing one message, retries included, after which it is left to Pub/Sub."
  type        = number
  default     = 8
  nullable    = false

  validation {
    condition     = var.write_timeout_seconds >= 1 && floor(var.write_timeout_seconds) == var.write_timeout_seconds
    error_message = "`write_timeout_seconds` is a whole number of seconds, such as 8."
  }
}

variable "request_timeout_seconds" {
  description = "Time after which Cloud Run gives a request up."
  type        = number
  default     = 60
  nullable    = false

  # A message may wait for memory for a second, and must be received before it is stored.
  validation {
    condition     = var.request_timeout_seconds >= var.write_timeout_seconds + 5 && floor(var.request_timeout_seconds) == var.request_timeout_seconds
    error_message = "`request_timeout_seconds` must exceed `write_timeout_seconds` by 5 at least, or Cloud Run gives up requests whose messages are about to be stored. Set ${var.write_timeout_seconds + 5} or more."
  }
}

variable "ack_deadline_seconds" {
  description = "Time after which Pub/Sub gives a push up and delivers again. It is not waited for where an answer comes."
  type        = number
  default     = 600
  nullable    = false

  validation {
    condition     = var.ack_deadline_seconds >= 10 && var.ack_deadline_seconds <= 600 && floor(var.ack_deadline_seconds) == var.ack_deadline_seconds
    error_message = "`ack_deadline_seconds` is from 10 to 600, such as 600."
  }

  validation {
    condition     = var.ack_deadline_seconds > var.request_timeout_seconds
    error_message = "`ack_deadline_seconds` must exceed `request_timeout_seconds`, or Pub/Sub delivers messages again that are still being stored. Set ack_deadline_seconds = 600, the most there is, and request_timeout_seconds below it, such as 60."
  }
}

# The archive.

variable "bucket" {
  description = "An existing bucket for the archive. Without it a bucket is made."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.bucket))
    error_message = "`bucket` is a bucket's name, such as \"my-archive\", without gs:// and without a prefix."
  }
}

variable "prefix" {
  description = "What the names of all blobs begin with, so that a bucket can hold several archives."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.prefix == "" || can(regex("^[A-Za-z0-9-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?(/[A-Za-z0-9-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?)*$", var.prefix)) && length(var.prefix) <= 200
    error_message = "`prefix` is a path such as \"production/eu\": up to 200 letters, digits, `.`, `_`, `-` and `/`, without a slash at either end, and no part begins with `_` or `.`, or ends with `.`."
  }
}

variable "soft_delete_days" {
  description = "Days for which a deleted blob can be brought back. They cost nothing as long as nothing is deleted."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.soft_delete_days == 0 || var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "`soft_delete_days` is from 7 to 90, such as 30, or 0 for none."
  }
}

variable "retention_days" {
  description = "Days after its publish time at which a message is deleted, what is stored already included. It stays, and is paid for, `soft_delete_days` longer. Without it nothing ever expires."
  type        = number
  default     = null

  # Pub/Sub may deliver a message for 31 days.
  validation {
    condition     = var.retention_days == null ? true : var.retention_days > 31 && floor(var.retention_days) == var.retention_days
    error_message = "`retention_days` is a whole number above 31, such as 365, or null: then nothing ever expires. Pub/Sub keeps an unacknowledged message for 31 days, and after an outage it would be deleted as soon as it is stored."
  }

  validation {
    condition     = var.retention_days == null || var.undeletable_days == null ? true : var.retention_days >= var.undeletable_days
    error_message = "`retention_days` is less than `undeletable_days`: a message cannot be deleted yet when it should be. Set retention_days = ${var.undeletable_days == null ? 32 : var.undeletable_days} or more."
  }

  validation {
    condition     = var.retention_days == null || var.bucket == null
    error_message = "`retention_days` is for a bucket that is made here. Leave it out (null), and set a lifecycle rule with `daysSinceCustomTime` on the bucket of your own."
  }

  validation {
    condition     = var.retention_days == null || var.soft_delete_days >= 7
    error_message = "`retention_days` deletes what is stored already, too, within about a day. Set soft_delete_days = 30 beside it: without soft delete, a wrong number would be final."
  }
}

variable "undeletable_days" {
  description = "Days for which nobody can delete or replace a blob, its owner included; whoever may change the bucket can take that back, unless it is locked. It does not make anything expire."
  type        = number
  default     = null

  validation {
    condition     = var.undeletable_days == null ? true : var.undeletable_days >= 1 && var.undeletable_days <= 36500 && floor(var.undeletable_days) == var.undeletable_days
    error_message = "`undeletable_days` is a whole number of days from 1 to 36,500, such as 90, or null."
  }

  validation {
    condition     = var.undeletable_days == null || var.bucket == null
    error_message = "`undeletable_days` is for a bucket that is made here. Leave it out (null), and set a retention policy on the bucket of your own."
  }
}

variable "undeletable_for_good" {
  description = "Locks `undeletable_days` if it says, word for word, `nobody can ever shorten or remove this policy`. **This can never be undone**: not by its owner, not by Google; it can only be lengthened, and the bucket stays until its last blob is old enough."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = contains(["", "nobody can ever shorten or remove this policy"], var.undeletable_for_good)
    error_message = "`undeletable_for_good` locks `undeletable_days`, which can never be undone. Leave it out; if the lock is meant, say undeletable_for_good = \"nobody can ever shorten or remove this policy\"."
  }

  validation {
    condition     = var.undeletable_for_good == "" || var.undeletable_days != null
    error_message = "`undeletable_for_good` locks `undeletable_days`, which is not set. Set it, such as undeletable_days = 90, without the lock at first: a lock can never be undone."
  }
}

variable "kms_key" {
  description = "Full name of a key in Cloud KMS, in `region`, with which new buckets (the archive's and the packages') and new topics are encrypted. Cloud Storage's agent, and Pub/Sub's for new topics, are granted its use. Who destroys the key destroys the archive."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "`kms_key` is a key's full name: \"projects/P/locations/L/keyRings/R/cryptoKeys/K\"."
  }

  validation {
    condition     = var.kms_key == null || var.bucket == null || var.package.image == null || anytrue([for stream in values(var.streams) : stream.create_topic || stream.dead_letters])
    error_message = "`kms_key` would encrypt nothing: the bucket is an existing one, and neither a topic nor a bucket for packages is made. Leave it out (null), and set the key on the bucket of your own."
  }
}

# Keeping what is there.

variable "archive_deletion_policy" {
  description = "What becomes of a bucket that was made here when Terraform is to delete it: `PREVENT` fails, `ABANDON` leaves it where it is, `DELETE` deletes it if it is empty. Nothing here ever deletes a blob but what `retention_days` says."
  type        = string
  default     = "PREVENT"
  nullable    = false

  validation {
    condition     = contains(["PREVENT", "ABANDON", "DELETE"], var.archive_deletion_policy)
    error_message = "`archive_deletion_policy` is \"PREVENT\", \"ABANDON\" or \"DELETE\"."
  }
}

variable "deletion_protection" {
  description = "Whether the service, the subscriptions with their backlogs, and new topics are kept from being deleted or replaced."
  type        = bool
  default     = true
  nullable    = false
}

# Around it.

variable "alerts" {
  description = "Whether alerts are set up."
  type        = bool
  default     = true
  nullable    = false
}

variable "notification_channels" {
  description = "Full names of the notification channels that alerts go to. Without one, incidents are seen in the console only."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for channel in var.notification_channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", channel))])
    error_message = "A notification channel has a full name, \"projects/P/notificationChannels/N\": gcloud beta monitoring channels list."
  }
}

variable "recovery_roles" {
  description = "Whether custom roles for reading the archive and for replaying from it are made. Nobody is given them."
  type        = bool
  default     = true
  nullable    = false
}

variable "enable_apis" {
  description = "Whether the APIs that are needed are switched on. They stay on when this is destroyed."
  type        = bool
  default     = true
  nullable    = false
}

variable "labels" {
  description = "Labels of everything that can have some."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "A label has a key and a value of lower-case letters, digits, `_` and `-`, such as { team = \"data\" }."
  }
}
