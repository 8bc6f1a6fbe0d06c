# shellcheck shell=bash
# What the tests need beside Rust: looked for, or put below the target folder; nothing on the system is changed. For scripts in the workspace's folder, which call `tools`.

tools_folder=${CARGO_TARGET_DIR:-target}/tools
missing=0

say() { printf '%s\n' "$*" >&2; }

# Names a part for the tests, if it was found: found VARIABLE PATH WHAT_IT_IS_FOR
found() {
  if [[ -n $2 ]]; then
    export "$1=$2"
    say "  $1=$2"
  else
    missing=$((missing + 1))
    say "  $1 NOT FOUND: $3 will be skipped"
  fi
}

# The first file below the tools folder or on the system that matches.
first_file() {
  local path
  for path in "$@"; do
    if [[ -f $path ]]; then
      printf '%s' "$path"
      return
    fi
  done
}

# Unpacks a Debian package into the tools folder, without installing it.
unpack_debian() {
  local folder=$tools_folder/debian
  [[ -e $folder/.$1 ]] && return
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 0
  mkdir -p "$folder"
  if (cd "$folder" && download_debian "$1" && dpkg -x "$1"_*.deb . && rm -f "$1"_*.deb && touch ".$1"); then
    say "  unpacked the Debian package $1"
  fi
}

# By the system's package lists, or by lists of our own where it has none.
download_debian() {
  apt-get download "$1" >/dev/null 2>&1 && return
  local options=(-o "Dir::State=$PWD/apt/state" -o "Dir::Cache=$PWD/apt/cache" -o Dir::State::status=/var/lib/dpkg/status)
  mkdir -p apt/state/lists/partial apt/cache/archives/partial
  apt-get "${options[@]}" update >/dev/null 2>&1 && apt-get "${options[@]}" download "$1" >/dev/null 2>&1
}

pubsub_emulator_jar() {
  command -v gcloud >/dev/null || return 0
  local root
  root=$(gcloud info --format='value(installation.sdk_root)' 2>/dev/null) || return 0
  first_file "$root"/platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar
}

faketime_library() {
  local name=faketime/libfaketimeMT.so.1 library
  library=$(first_file /usr/lib/*/$name /usr/lib/$name)
  if [[ -z $library ]]; then
    unpack_debian libfaketime
    library=$(first_file "$tools_folder"/debian/usr/lib/*/$name)
  fi
  # The tests run in other folders than this one.
  [[ -z $library ]] || realpath "$library"
}

strace_program() {
  local program
  program=$(command -v strace || true)
  if [[ -z $program ]]; then
    unpack_debian strace
    program=$(first_file "$tools_folder/debian/usr/bin/strace")
  fi
  [[ -z $program ]] || realpath "$program"
}

# Built below the tools folder, always in this version: what another does is not known.
fake_gcs_server_program() {
  local version=1.56.1 folder=$tools_folder/go/bin
  if [[ ! -x $folder/fake-gcs-server ]] && command -v go >/dev/null; then
    mkdir -p "$folder"
    if GOBIN=$(realpath "$folder") go install "github.com/fsouza/fake-gcs-server@v$version" >/dev/null 2>&1; then
      say "  built fake-gcs-server $version"
    fi
  fi
  local program
  program=$(first_file "$folder/fake-gcs-server")
  [[ -z $program ]] || realpath "$program"
}

# A file of a package from npm's registry, below the tools folder and always in this version: npm_file PACKAGE VERSION FILE
npm_file() {
  local package=$1 version=$2 folder=$tools_folder/$1 file
  if ! grep -qs "\"version\": \"$version\"" "$folder/node_modules/$package/package.json" && command -v npm >/dev/null; then
    mkdir -p "$folder"
    # One of its own, so that npm takes no folder above for its project.
    printf '{"private": true}\n' >"$folder/package.json"
    if (cd "$folder" && npm install --no-audit --no-fund --ignore-scripts "$package@$version" >/dev/null 2>&1); then
      say "  installed $package $version"
    fi
  fi
  file=$(first_file "$folder/node_modules/$package/$3")
  [[ -z $file ]] || realpath "$file"
}

# A broker that speaks AMQP 1.0: below the tools folder, always in this version, from Maven's repository. The script that makes an instance of it.
artemis_script() {
  local version=2.44.0 folder=$tools_folder/artemis script archive
  script=$folder/apache-artemis-$version/bin/artemis
  if [[ ! -f $script ]] && command -v mvn >/dev/null && command -v unzip >/dev/null; then
    mkdir -p "$folder"
    archive=$folder/apache-artemis-$version-bin.zip
    if mvn -q -B dependency:copy -Dartifact=org.apache.activemq:apache-artemis:$version:zip:bin -DoutputDirectory="$(realpath "$folder")" -Dmdep.useBaseVersion=true >/dev/null 2>&1 &&
      unzip -q -o "$archive" -d "$folder" && rm -f "$archive"; then
      say "  got Apache Artemis $version"
    fi
  fi
  script=$(first_file "$script")
  [[ -z $script ]] || realpath "$script"
}

# Debian packages as they come: a C library and certificates, for the file systems in which our own packages are run.
debian_packages() {
  local folder=$tools_folder/debs name
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 0
  mkdir -p "$folder"
  for name in libc6 libgcc-s1 ca-certificates; do
    compgen -G "$folder/${name}_*.deb" >/dev/null || (cd "$folder" && download_debian "$name") || return 0
  done
  realpath "$folder"
}

# Where providers are looked for instead of in their registry: a folder whose `mirror DIR` lays providers out and prints how Terraform is told.
terraform_configuration() {
  [[ -n ${TERRAFORM_OFFLINE:-} ]] || return 0
  local TF_CLI_CONFIG_FILE=
  eval "$("$TERRAFORM_OFFLINE/mirror" "$tools_folder/terraform-offline" 2>/dev/null)"
  realpath "$TF_CLI_CONFIG_FILE"
}

# Below the tools folder, always in this version: what another finds is not known.
checkov_program() {
  local version=3.3.30 folder=$tools_folder/checkov program
  if [[ ! -e $folder/.$version ]] && command -v python3 >/dev/null; then
    rm -rf "$folder"
    if python3 -m venv "$folder" && "$folder/bin/pip" install -q --disable-pip-version-check "checkov==$version" >/dev/null 2>&1; then
      touch "$folder/.$version"
      say "  installed checkov $version"
    fi
  fi
  program=$(first_file "$folder/bin/checkov")
  [[ -z $program ]] || realpath -s "$program"
}

tools() {
  say 'What the tests need:'
  found TEST_JAVA "$(command -v java || true)" 'all with the Pub/Sub emulator'
  found TEST_PUBSUB_EMULATOR_JAR "$(pubsub_emulator_jar)" 'all with the Pub/Sub emulator (gcloud components install pubsub-emulator)'
  found TEST_FAKETIME_LIB "$(faketime_library)" 'redelivery under a moved clock'
  found TEST_STRACE "$(strace_program)" 'the order of system calls, and their faults'
  found TEST_PYTHON "$(command -v python3 || true)" 'the reader in another language'
  found TEST_FAKE_GCS_SERVER "$(fake_gcs_server_program)" 'all with Cloud Storage (building it needs Go)'
  found TEST_NODE "$(command -v node || true)" 'all with Blob Storage'
  found TEST_AZURITE "$(npm_file azurite 3.37.0 dist/src/blob/main.js)" 'all with Blob Storage (installing it needs npm)'
  found TEST_ARTEMIS "$(artemis_script)" 'all with a broker of AMQP 1.0 (getting it needs Maven and unzip)'
  found TEST_RHEA "$(npm_file rhea 3.0.5 lib/container.js)" 'what another client of AMQP 1.0 reads (installing it needs npm)'
  found TEST_TERRAFORM "$(command -v terraform || true)" 'all with Terraform'
  local configuration
  configuration=$(terraform_configuration)
  [[ -z $configuration ]] || found TEST_TERRAFORM_CONFIG "$configuration" ''
  found TEST_CHECKOV "$(checkov_program)" 'what a linter knows of Terraform (installing it needs pip)'
  found TEST_DEBS "$(debian_packages)" 'packages in file systems of their own'
  if [[ $(id -u) != 0 ]]; then
    missing=$((missing + 1))
    say '  not root: faults that need mounting will be skipped'
  fi
  if ((missing > 0)) && [[ ${CI:-} == true ]]; then
    say 'With CI=true nothing may be skipped.'
    exit 1
  fi
}
