# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The menshen authors

# What contrib/try, contrib/test and .ci/run have in common. To be sourced by bash, in the repository's root.

PATH=$PATH:/usr/sbin:/sbin

# What a build links to and what finds it, and what Swift itself needs to run and to fetch packages. The compiler comes with
# Swift; g++ brings the C++ headers.
build_packages=(
    libcurl4-openssl-dev libnghttp2-dev libsqlite3-dev libssl-dev zlib1g-dev libbrotli-dev libzstd-dev
    libsystemd-dev libtomlplusplus-dev pkg-config g++ binutils git ca-certificates libncurses6 libxml2
)
# What the tests use beyond that; systemd-journal-remote makes journal files to read, prometheus scrapes and brings promtool,
# chromium opens the dashboard.
test_packages=(curl faketime jq sqlite3 procps python3 python3-venv nginx-light systemd-journal-remote prometheus chromium)
# What booting a container takes; root only.
container_packages=(systemd-container debootstrap util-linux)

if [[ -t 1 && -z ${NO_COLOR-} ]]; then
    bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
    bold='' red='' green='' plain=''
fi

say() { printf '%s\n' "$bold== $*$plain"; }
die() {
    printf '%s\n' "$red$*$plain" >&2
    exit 1
}

# Swift 6.2 is the first that reads Package.swift.
need_swift() {
    local version answer
    command -v swift >/dev/null ||
        die "There is no swift in \$PATH. menshen needs Swift 6.2 or later: https://www.swift.org/install/linux/"
    # On a bare system Swift may lack libraries of its own.
    answer=$(swift --version 2>&1) || { need_packages "${build_packages[@]}" && answer=$(swift --version 2>&1); } ||
        die "Swift does not run here: $answer"
    version=$(sed -n 's/.*Swift version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' <<<"$answer" | head -n 1)
    [[ -n $version ]] || die "'swift --version' does not say which Swift this is; menshen needs 6.2 or later."
    local major=${version%%.*} minor=${version#*.}
    ((major > 6 || (major == 6 && minor >= 2))) ||
        die "This is Swift $version; menshen needs 6.2 or later: https://www.swift.org/install/linux/"
}

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# need_packages NAME...: installs those that are missing, as root or through sudo.
need_packages() {
    local package missing=() as_root=()
    if ! command -v apt-get >/dev/null; then
        echo "No apt-get here, so nothing is installed. Wanted (Debian's names): $*" >&2
        return 0
    fi
    for package; do is_installed "$package" || missing+=("$package"); done
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "Missing; as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    # The package of nginx starts a web server; the tests need only the program.
    if [[ " ${missing[*]} " == *' nginx-light '* && -d /run/systemd/system ]]; then
        "${as_root[@]}" systemctl mask --runtime --quiet nginx.service || true
    fi
    logged apt-update "${as_root[@]}" apt-get update -q
    logged apt-install "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
}

logs=${MENSHEN_LOGS:-.build/logs}

# logged NAME COMMAND...: runs it with its output in a file; shows the end of that if it fails, and ends the script.
logged() {
    local name=$1 file=$logs/$1.log
    shift
    mkdir -p "$logs"
    "$@" >"$file" 2>&1 </dev/null && return 0
    local code=$?
    tail -n 60 "$file" >&2
    die "$name failed ($code); all of its output is in $file"
}

release_binary=.build/release/menshen

# What `menshen --version` shows; "-dirty" says that there are changes beside the commit.
built_commit() { git describe --always --abbrev=12 --dirty --exclude '*' 2>/dev/null || echo unknown; }

build_release() { MENSHEN_COMMIT=$(built_commit) logged build-release swift build -c release --static-swift-stdlib --product menshen; }
