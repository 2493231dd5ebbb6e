#!/usr/bin/env bash
# Bring this machine to where `make demo` and `make test` run: Debian 12 or 13, packages and a virtual environment.
#
#   deploy/setup.sh              say what will change, then change it; nothing to do is done at once
#   deploy/setup.sh --dry-run    only say it
#   deploy/setup.sh --packages   only the part that needs root
#   deploy/setup.sh --uninstall  take away what this script brought
#
# No service is started, stopped or enabled. What was here before stays as it was.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
VENV=$ROOT/.venv
LOCK=$ROOT/requirements.lock
STAMP=$VENV/.guosuo-setup
SOURCE=/etc/apt/sources.list.d/guosuo-backports.sources
STATE=/var/lib/guosuo-setup
UNFINISHED=$STATE/unfinished
POLICY=/usr/sbin/policy-rc.d
POLICY_SAVED=/usr/sbin/policy-rc.d.before-guosuo
CLUSTERS=/etc/postgresql-common/createcluster.d/guosuo-setup.conf
MARK="guosuo set-up"

# Package, and the file that shows that it is here however it came.
PACKAGES=(
    "softhsm2            /usr/bin/softhsm2-util"
    "opensc              /usr/bin/pkcs11-tool"
    "libp11-kit0         /usr/lib/*/libp11-kit.so.0"
    "pkcs11-provider     /usr/lib/*/ossl-modules/pkcs11.so"
    "openssl             /usr/bin/openssl"
    "nginx               /usr/sbin/nginx"
    "suricata            /usr/bin/suricata"
    "tcpdump             /usr/bin/tcpdump"
    "iproute2            /usr/sbin/ip|/usr/bin/ip|/sbin/ip"
    "util-linux          /usr/bin/unshare"
    "mount               /usr/bin/mount|/bin/mount"
    "bubblewrap          /usr/bin/bwrap"
    "curl                /usr/bin/curl"
    "gnutls-bin          /usr/bin/ocsptool"
    "ca-certificates     /etc/ssl/certs/ca-certificates.crt"
    "postgresql          /usr/lib/postgresql/*/bin/initdb"
    "rsyslog             /usr/sbin/rsyslogd"
    "rsyslog-openssl     /usr/lib/*/rsyslog/lmnsd_ossl.so"
    "chromium            /usr/bin/chromium"
    "certbot             /usr/bin/certbot"
    "dehydrated          /usr/bin/dehydrated"
    "golang-cfssl        /usr/bin/cfssl"
    "golang-go           /usr/bin/go"
    "golang-golang-x-mod-dev /usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go"
    "fonts-noto-cjk      /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
)

main() {
    case "${1:-}" in
        "") everything run ;;
        --dry-run) everything say ;;
        --packages) packages run ;;
        --uninstall) uninstall ;;
        *) sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2 ;;
    esac
}

everything() {
    packages "$1"
    environment "$1"
}

say() { printf '%s\n' "$*"; }
fail() { printf 'set-up: %s\n' "$*" >&2; exit 1; }

# --- packages ---------------------------------------------------------------------------------------------------------

packages() {
    local lacking
    mapfile -t lacking < <(find_lacking)
    [[ $EUID -ne 0 || $1 == say ]] || finish_interrupted
    if [[ ${#lacking[@]} -eq 0 && ! -e $UNFINISHED ]]; then return; fi

    check_release
    say "set-up changes on this machine:"
    say "  packages        ${lacking[*]:-the rest of an earlier run that was cut off} (Debian's, with what they need)"
    say "  services        none is started, stopped or enabled; no database cluster is made"
    if [[ " ${lacking[*]} " =~ " suricata "|" pkcs11-provider " && ! -e $SOURCE ]]; then
        say "  package source  $SOURCE, if this release has no Suricata 7 or no PKCS#11 provider of OpenSSL: backports, from the same mirror"
    fi
    say "  remembered in   $STATE (for make uninstall)"
    if [[ $1 == say ]]; then return; fi
    if [[ $EUID -ne 0 ]]; then
        fail "packages are missing and only root can install them; run as root: $HERE/setup.sh --packages"
    fi
    install_packages "${lacking[@]}"
    mapfile -t lacking < <(find_lacking)
    [[ ${#lacking[@]} -eq 0 ]] || fail "still missing after the installation: ${lacking[*]}"
}

find_lacking() {
    local line name shown
    for line in "${PACKAGES[@]}"; do
        read -r name shown <<<"$line"
        present "$shown" || printf '%s\n' "$name"
    done
    find_python >/dev/null || printf '%s\n' python3 python3-venv
}

# One of the patterns separated by | is there.
present() {
    local pattern
    local IFS='|'
    for pattern in $1; do
        if compgen -G "$pattern" >/dev/null; then return 0; fi
    done
    return 1
}

# A Python 3.11 to 3.13 that can make virtual environments; never one that is itself inside such an environment, since
# that may be the one to be made anew.
find_python() {
    local name found
    for name in python3 python3.13 python3.12 python3.11; do
        if found=$("$name" -c "$FITS" 2>/dev/null); then
            printf '%s\n' "$found"
            return
        fi
    done
    return 1
}

FITS='
import ensurepip, sys, venv
print(sys._base_executable)
sys.exit(not (3, 11) <= sys.version_info < (3, 14))
'

codename() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}"); }

check_release() {
    local system
    system=$(. /etc/os-release && printf '%s %s' "$ID" "${VERSION_ID:-}")
    case "$system" in
        "debian 12" | "debian 13") ;;
        *) fail "this is $system; packages are installed on Debian 12 and 13 only; missing here: $(find_lacking | xargs)" ;;
    esac
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    remember_packages "$@"
    trap restore EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    forbid_services
    if [[ -e $UNFINISHED ]]; then
        configure_unpacked
    else
        enabled_units >"$UNFINISHED.new"
        mv "$UNFINISHED.new" "$UNFINISHED"
    fi
    # A crash from here on leaves what was started at boot before: the next run ends what this one began.
    apt update
    install_from_both "$@"
    disable_units "$(comm -13 "$UNFINISHED" <(enabled_units))"
    rm -f "$UNFINISHED"
    restore
    trap - EXIT INT TERM HUP
}

# Quiet unless it fails.
apt() {
    local log
    log=$(mktemp)
    say "  apt-get $*"
    if ! apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        fail "apt-get $* failed"
    fi
    rm -f "$log"
}

# What an earlier run unpacked and did not configure: under our policy, so that nothing is started.
configure_unpacked() { dpkg --configure -a --force-confold >/dev/null 2>&1 || true; }

# Written before anything is installed: an interrupted run is undone all the same.
remember_packages() {
    local name
    mkdir -p "$STATE"
    for name in "$@"; do
        if ! dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed; then
            grep -qx "$name" "$STATE/packages" 2>/dev/null || printf '%s\n' "$name" >>"$STATE/packages"
        fi
    done
}

install_from_both() {
    local name others=() newer=()
    for name in "$@"; do
        case "$name" in suricata | pkcs11-provider) newer+=("$name") ;; *) others+=("$name") ;; esac
    done
    if [[ ${#others[@]} -gt 0 ]]; then apt install --no-install-recommends "${others[@]}"; fi
    for name in "${newer[@]}"; do
        offer "$name"
        # What it needs must come from there too; everything else stays with the release.
        if [[ $(candidate "$name") == *~bpo* ]]; then
            apt install --no-install-recommends -t "$(codename)-backports" "$name"
        else
            apt install --no-install-recommends "$name"
        fi
    done
}

# Debian 12 has no Suricata 7 and no PKCS#11 provider of its own: its backports have.
offer() {
    if candidate_suffices "$1"; then return; fi
    if [[ ! -e $SOURCE ]]; then
        write_backports
        touch "$STATE/source"
    fi
    apt update
    candidate_suffices "$1" || fail "no package source of this machine has the $1 that is needed"
}

candidate() { apt-cache policy "$1" | awk '/Candidate:/ { print $2 }'; }

candidate_suffices() {
    local version
    version=$(candidate "$1")
    [[ -n $version && $version != "(none)" ]] || return 1
    [[ $1 != suricata ]] || dpkg --compare-versions "$version" ge 1:7
}

# The same mirror, keys and options that this machine uses for its release, another suite.
write_backports() {
    local suite
    suite=$(codename)
    local file found=""
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -e $file ]] || continue
        found=$(backports_of_stanzas "$suite" "$file")
        if [[ -n $found ]]; then break; fi
    done
    if [[ -z $found ]]; then
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
            [[ -e $file ]] || continue
            found=$(backports_of_lines "$suite" "$file")
            if [[ -n $found ]]; then break; fi
        done
    fi
    [[ -n $found ]] || fail "no source of $suite main was found in /etc/apt to take the mirror of the backports from"
    say "  writing $SOURCE (mirror as in $file)"
    printf '# %s: Suricata for this release.\n%s\n' "$MARK" "$found" >"$SOURCE.new"
    chmod 644 "$SOURCE.new"
    mv "$SOURCE.new" "$SOURCE"
}

backports_of_stanzas() {
    awk -v suite="$1" '
        function value(line) { sub(/^[^:]*:[ \t]*/, "", line); return " " line " " }
        function flush() {
            if (deb && here && main && !off && !found) { printf "%s", kept; found = 1 }
            deb = here = main = off = 0; kept = ""
        }
        /^[ \t]*$/ { flush(); next }
        /^#/ { next }
        tolower($1) == "types:" { deb = index(value($0), " deb ") > 0; kept = kept "Types: deb\n"; next }
        tolower($1) == "suites:" { here = index(value($0), " " suite " ") > 0; kept = kept "Suites: " suite "-backports\n"; next }
        tolower($1) == "components:" { main = index(value($0), " main ") > 0; kept = kept "Components: main\n"; next }
        tolower($1) == "enabled:" { off = tolower($2) == "no"; next }
        { kept = kept $0 "\n" }
        END { flush() }
    ' "$2"
}

backports_of_lines() {
    awk -v suite="$1" '
        $1 != "deb" || found { next }
        {
            line = $0; sub(/#.*/, "", line); options = ""
            if (match(line, /\[[^]]*\]/)) {
                options = substr(line, RSTART + 1, RLENGTH - 2)
                line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
            }
            count = split(line, word, /[ \t]+/)
            if (word[3] != suite) next
            main = 0
            for (i = 4; i <= count; i++) if (word[i] == "main") main = 1
            if (!main) next
            printf "Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n", word[2], suite
            many = split(options, option, /[ \t]+/)
            for (i = 1; i <= many; i++) {
                if (split(option[i], pair, "=") != 2) continue
                gsub(/,/, " ", pair[2])
                if (pair[1] == "signed-by") print "Signed-By: " pair[2]
                if (pair[1] == "arch") print "Architectures: " pair[2]
                if (pair[1] == "trusted") print "Trusted: " pair[2]
            }
            found = 1
        }
    ' "$2"
}

# --- services stay as they are ----------------------------------------------------------------------------------------

forbid_services() {
    if [[ -e $POLICY || -L $POLICY ]]; then mv "$POLICY" "$POLICY_SAVED"; fi
    # A crash here leaves our policy file in place: finish_interrupted puts the former one back on the next run.
    printf '#!/bin/sh\n# %s: nothing is started while packages are installed.\nexit 101\n' "$MARK" >"$POLICY"
    chmod 755 "$POLICY"
    mkdir -p "$(dirname "$CLUSTERS")"
    printf '# %s\ncreate_main_cluster = false\n' "$MARK" >"$CLUSTERS"
}

restore() {
    if grep -qs "$MARK" "$POLICY"; then rm -f "$POLICY"; fi
    if [[ -e $POLICY_SAVED || -L $POLICY_SAVED ]]; then mv "$POLICY_SAVED" "$POLICY"; fi
    rm -f "$CLUSTERS"
    local folder
    folder=$(dirname "$CLUSTERS")
    rmdir --ignore-fail-on-non-empty "$folder" "$(dirname "$folder")" 2>/dev/null || true
}

finish_interrupted() {
    if grep -qs "$MARK" "$POLICY" || [[ -e $POLICY_SAVED || -L $POLICY_SAVED || -e $CLUSTERS ]]; then
        say "set-up: an earlier run was cut off; putting $POLICY back as it was"
        restore
    fi
}

# What is started at boot, one link a line.
enabled_units() {
    find /etc/systemd/system /etc/rc?.d -type l \( -path '*.wants/*' -o -name 'S*' \) -print 2>/dev/null | sort
}

disable_units() {
    local links=$1 name names
    names=$(sed -nE -e 's|^.*\.wants/||p' -e 's|^/etc/rc.\.d/S[0-9]+(.*)$|\1.service|p' <<<"$links" | sort -u)
    if [[ -z $names ]]; then return; fi
    say "  left disabled: $(xargs <<<"$names")"
    for name in $names; do
        if command -v systemctl >/dev/null; then systemctl disable --no-reload --quiet "$name" >/dev/null 2>&1 || true; fi
        if [[ -e /etc/init.d/${name%.service} ]]; then update-rc.d "${name%.service}" disable >/dev/null 2>&1 || true; fi
        find /etc/systemd/system -type l -path "*.wants/$name" -delete
    done
}

# --- the virtual environment ------------------------------------------------------------------------------------------

environment() {
    local python wanted
    [[ -f $LOCK ]] || fail "there is no $LOCK: from an installed copy only --packages can be run"
    if ! python=$(find_python); then
        [[ $1 == say ]] || fail "no Python 3.11 to 3.13 with venv; run as root: $HERE/setup.sh --packages"
        python=/usr/bin/python3
    fi
    wanted=$(wanted_stamp)
    if [[ -x $VENV/bin/python && -f $STAMP && $(<"$STAMP") == "$wanted" ]]; then return; fi
    say "set-up makes $VENV with $python: what requirements.lock names, checked by hash, and guosuo itself"
    if [[ $1 == say ]]; then return; fi
    [[ -w $ROOT ]] || fail "$ROOT is not yours to write to; let its owner run $HERE/setup.sh, or use a copy of your own"
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
    pip --require-hashes -r "$LOCK"
    pip --no-deps --no-build-isolation --editable "$ROOT"
    # A crash before this line leaves an environment without a stamp: the next run makes it anew.
    printf '%s' "$wanted" >"$STAMP"
}

pip() {
    local log
    log=$(mktemp)
    if ! "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        fail "pip install $* failed"
    fi
    rm -f "$log"
}

# The environment is current while the lock, the project's own description and its place are.
wanted_stamp() { { cat "$LOCK" "$ROOT/pyproject.toml"; printf '%s' "$ROOT"; } | sha256sum | cut -d ' ' -f 1; }

# --- and back ---------------------------------------------------------------------------------------------------------

uninstall() {
    [[ $EUID -ne 0 ]] || finish_interrupted
    if [[ -d $VENV ]]; then
        say "removing $VENV"
        rm -rf "$VENV"
    fi
    rm -rf "$ROOT"/guosuo.egg-info
    if [[ ! -d $STATE ]]; then
        say "set-up installed no packages on this machine"
        return
    fi
    if [[ $EUID -ne 0 ]]; then
        say "set-up installed packages too; to take them back run as root: $HERE/setup.sh --uninstall"
        return
    fi
    if [[ -e $STATE/source ]]; then
        say "removing $SOURCE"
        rm -f "$SOURCE" "$STATE/source"
    fi
    offer_removal
    rmdir "$STATE" 2>/dev/null || true
}

offer_removal() {
    local names answer=no
    [[ -s $STATE/packages ]] || return 0
    mapfile -t names <"$STATE/packages"
    say "set-up installed: ${names[*]}"
    if [[ -t 0 ]]; then
        read -r -p "remove them, with what only they needed? [y/N] " answer
    fi
    if [[ $answer != [yY]* ]]; then
        say "kept; remove them with: apt-get remove --autoremove ${names[*]}"
        return
    fi
    apt remove --autoremove "${names[@]}"
    rm -f "$STATE/packages" "$UNFINISHED"
}

# Tests read the functions without running them.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
