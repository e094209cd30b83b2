# What is installed on this system and what its package sources offer, as text in sections (src/patch/collect).
# Needs the system's own shell, dpkg or rpm, and the usual tools beside them (awk, sed, sort, gzip, sha256sum). Before this
# come the lines that set `refresh` (yes: the sources are read anew, into a folder of its own; old: unless that was done
# within the hour) and `whole` (no: what is not installed is left out of the offers). Changes nothing; its folder goes with it.
(
set -eu
LC_ALL=C
PATH=${PATH:-/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# apt reads the network as a user of its own, below this folder.
chmod 711 "$dir"
sections=0

section() { sections=$((sections + 1)); echo "= $*"; }
quote() { sed 's/^/ /'; }
# The texts of files that are there, each under the name of its section.
texts() {
  kind=$1; shift
  for text in "$@"; do
    [ -f "$text" ] || continue
    section "$kind" "${text##*/}"
    quote <"$text"
  done
}
unread() { section unread "$1"; quote <"$2"; }

# Fields of stanzas, and of those only the wanted ones. A line that is none is passed on: the reader refuses it.
stanzas='
BEGIN { if (!all) while ((getline line < names) > 0) want[line] = 1 }
function flush() { if (text != "" && (all || odd || name in want)) print text; text = ""; name = ""; odd = 0 }
/^$/ { flush(); next }
/^[ \t]/ { next }
/^(Package|Status|Version|Architecture|Priority|Section|Source):/ {
  text = text $0 "\n"
  if ($1 == "Package:") name = $2
  next
}
/^[A-Za-z0-9][A-Za-z0-9-]*:/ { next }
{ text = text $0 "\n"; odd = 1 }
END { flush() }'

# Of a Release file the checksums that are needed, and of its signature that it is there.
release='
/^-----BEGIN PGP SIGNATURE-----/ { print; signature = 1; next }
/^-----END PGP SIGNATURE-----/ { print; signature = 0; next }
signature { next }
/^ / { if (field != "SHA256:" || $3 !~ /(^|\/)Packages$/ || ($3 ~ /binary-/ && $3 !~ arches)) next }
/^[^ ]/ { field = $1; if (field == "MD5Sum:" || field == "SHA1:" || field == "SHA512:") next }
{ print }'

# Which sources are declared trusted; keys that stand in the files are left out.
sources='
tolower($0) ~ /^(types|uris|suites|components|trusted|enabled):/ || /^[ \t]*deb/ || /^$/ { print; keep = /:/; next }
/^[ \t]/ { if (keep) print; next }
{ keep = 0 }'

apt() {
  lists=/var/lib/apt/lists
  if [ "$refresh" = old ]; then
    refresh=yes
    # apt leaves the times of the server on the files, and its own on the folder below.
    if [ -n "$(find "$lists" "$lists/partial" -prune -mmin -60 2>/dev/null || :)" ] &&
      [ -n "$(find "$lists" -name '*_Packages*' 2>/dev/null || :)" ]; then refresh=no; fi
  fi
  if [ "$refresh" = yes ]; then
    lists=$dir/lists
    mkdir -p "$lists/partial"
    # No hooks of others, no caches, and an old index that is left in place is an error.
    printf '%s\n' "Dir::State::Lists \"$lists/\";" 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' \
      'APT::Update::Error-Mode "any";' 'Acquire::Retries "3";' '#clear APT::Update::Pre-Invoke;' \
      '#clear APT::Update::Post-Invoke;' '#clear APT::Update::Post-Invoke-Success;' >"$dir/apt.conf"
    wrong=no
    apt-get -c "$dir/apt.conf" update >"$dir/log" 2>&1 || wrong=yes
    grep -E '^(Err:|E: |W: (Failed to fetch|Some index files|GPG error|The repository))' "$dir/log" >"$dir/why" && wrong=yes
    [ "$wrong" = no ] || { [ -s "$dir/why" ] || tail -n 5 "$dir/log" >"$dir/why"; unread "apt-get update" "$dir/why"; }
  fi
  section dpkg-status
  awk -v all=1 "$stanzas" </var/lib/dpkg/status >"$dir/status"
  quote <"$dir/status"
  sed -n 's/^Package: //p' <"$dir/status" | sort -u >"$dir/names"
  section dpkg-times
  dpkg-query --show --showformat '${Package}\t${Architecture}\t${db-fsys:Last-Modified}\n' >"$dir/times" 2>/dev/null || :
  quote <"$dir/times"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    section apt-sources "${file##*/}"
    awk "$sources" <"$file" >"$dir/text"
    quote <"$dir/text"
  done
  texts apt-preferences /etc/apt/preferences /etc/apt/preferences.d/*
  arches="binary-($( (dpkg --print-architecture; dpkg --print-foreign-architectures; echo all) | tr '\n' '|' | sed 's/|$//'))"
  all=0; [ "$whole" = no ] || all=1
  for file in "$lists"/*; do
    [ -f "$file" ] || continue
    base=${file##*/}
    case $base in
      *_Release.gpg) section apt-signature "$base" ;;
      *_InRelease | *_Release)
        section apt-release "$base"
        awk -v arches="$arches" "$release" <"$file" >"$dir/text"
        quote <"$dir/text" ;;
      *_Packages | *_Packages.lz4 | *_Packages.xz | *_Packages.gz | *_Packages.zst | *_Packages.bz2)
        /usr/lib/apt/apt-helper cat-file "$file" >"$dir/plain"
        sum=$(sha256sum <"$dir/plain")
        section apt-index "${base%_Packages*}_Packages" "$(wc -c <"$dir/plain" | tr -d ' ')" "${sum%% *}"
        awk -v all="$all" -v names="$dir/names" "$stanzas" <"$dir/plain" >"$dir/text"
        quote <"$dir/text" ;;
    esac
  done
}

# The lists of a repository, tag by tag. Comments, CDATA and attributes in other quotes than usual are not for awk (3): the
# file is then handed over as it is.
lists='
function end(text) { sub(/[ \t\r\n]+$/, "", text); return text }
BEGIN { if (!all) while ((getline line < names) > 0) want[line] = 1; RS = "<" }
NR == 1 || /^[?]/ { next }
/^[!]/ { exit odd = 3 }
'
primary=$lists'
/^rpm:entry/ { next }
/^metadata[ >]/ { if (!match($0, / packages="[0-9]+"/)) exit odd = 3; declared = substr($0, RSTART + 11, RLENGTH - 12) }
/^package[ >]/ { text = "<" end($0); name = ""; next }
/^name[ >]/ { name = end(substr($0, index($0, ">") + 1)); text = text "<" end($0); next }
/^(arch|version|time|format|rpm:sourcerpm)[ >\/]/ || /^\/(name|arch|version|time|format|rpm:sourcerpm)>/ {
  text = text "<" end($0); next
}
/^\/package>/ { total++; if (all || name in want) { kept++; print text "<location href=\".\"/></package>" } }
/^\/metadata>/ { closed = 1 }
END { if (odd) exit odd; if (!closed || total + 0 != declared + 0) exit 4; print kept + 0 >count }'
updateinfo=$lists'
/^\/?(description|summary|solution|message|rights|filename|sum|pushcount)[ >\/]/ { next }
/^update[ >]/ { inside = 1; text = ""; keep = all }
/^\/updates>/ { closed = 1 }
!inside { next }
/^reference[ >\/]/ { gsub(/ (href|title)="[^"]*"/, "") }
/^package[ >]/ {
  if (!match($0, / name="[^"]*"/)) exit odd = 3
  drop = !all && !(substr($0, RSTART + 7, RLENGTH - 8) in want)
  if (!drop) keep = 1
  if (drop && $0 ~ /\/>/) { drop = 0; next }
}
drop { if (/^\/package>/) drop = 0; next }
{ text = text "<" end($0) }
/^\/update>/ { total++; inside = 0; if (keep) print text }
END { if (odd) exit odd; if (!closed) exit 4; print total + 0 >count }'

# The file without its compression; fails when this system has no means.
plain() {
  case $1 in
    *.gz) gzip -dc ;; *.xz) xz -dc ;; *.zst) zstd -dcq ;; *.bz2) bzip2 -dc ;; *.xml) cat ;; *) false ;;
  esac <"$1" 2>/dev/null
}

# What repomd.xml says of a list: its place and the kind of its checksum.
place='
BEGIN { RS = "<" }
/^data[ >]/ { inside = index($0, "type=\"" kind "\"") }
inside && /^checksum[ >]/ && match($0, /type="[^"]*"/) { sum = substr($0, RSTART + 6, RLENGTH - 7) }
inside && /^location[ >]/ && match($0, /href="[^"]*"/) { href = substr($0, RSTART + 6, RLENGTH - 7) }
END { print href, sum }'

list() { # repository, its folder, kind, awk program
  set -- "$1" "$2" "$3" "$4" $(awk -v kind="$3" "$place" <"$2/repodata/repomd.xml")
  [ $# -ge 6 ] || return 0
  file=$2/$5
  [ -f "$file" ] || return 0
  case $6 in sha | sha1) sum=$(sha1sum <"$file") ;; *) sum=$("$6sum" <"$file") || sum= ;; esac
  set -- "$1" "$3" "$4" "$5" "$(wc -c <"$file" | tr -d ' ') ${sum%% *}"
  all=0; [ "$whole" = no ] || all=1
  if plain "$file" >"$dir/plain" &&
    awk -v all="$all" -v names="$dir/names" -v count="$dir/count" "$3" <"$dir/plain" >"$dir/text"; then
    section repository-list "$1" "$2" $5 "$(cat "$dir/count")"
    quote <"$dir/text"
  else
    # The reader says what is wrong with it, or has the means.
    section repository-file "$1" "$2" $5
    base64 <"$file" | quote
  fi
  rm -f "$dir/plain" "$dir/text" "$dir/count"
}

# Sections of repositories: what is needed, and no password.
repositories='
/^[ \t]*\[/ { print; keep = 0; next }
/^[ \t]/ { if (keep) print; next }
{
  keep = tolower($0) ~ /^(name|baseurl|path|mirrorlist|metalink|enabled|priority|module_hotfixes|gpgcheck|repo_gpgcheck|skip_if_unavailable|exclude|excludepkgs|includepkgs)[ \t]*=/
  if (keep) print
}'

rpms() {
  format='%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{INSTALLTIME}\t%{BUILDTIME}\t%{VENDOR}\t%{SOURCERPM}'
  if rpm --querytags | grep -qx MODULARITYLABEL; then format=$format'\t%{MODULARITYLABEL}'; fi
  rpm --query --all --queryformat "$format\\n" >"$dir/installed"
  sort <"$dir/installed" >"$dir/sorted"
  section rpm-installed
  quote <"$dir/sorted"
  cut -f 1 <"$dir/sorted" | sort -u >"$dir/names"
  : >"$dir/log"
  cache=$dir/cache
  # Whether it was read at the newest release, a cache does not say.
  [ "$refresh" = no ] || refresh=yes
  config=/etc/yum.repos.d
  if command -v zypper >/dev/null; then
    section manager zypper
    config=/etc/zypp/repos.d
    if [ "$refresh" = yes ]; then
      zypper --non-interactive --cache-dir "$cache" --raw-cache-dir "$cache/raw" --solv-cache-dir "$cache/solv" \
        refresh >"$dir/log" 2>&1 || :
    fi
    [ "$refresh" = yes ] && cache=$cache/raw || cache=/var/cache/zypp/raw
  elif command -v dnf >/dev/null; then
    section manager dnf
    # Patch Manager looks at the newest release, whatever the image is locked to.
    newest=
    if grep -q '^ID="\{0,1\}amzn' /etc/os-release && grep -q '^VERSION_ID="\{0,1\}2023' /etc/os-release; then
      newest=--releasever=latest
      section releasever latest
    fi
    # It writes into its history and beside its cache when it only reads.
    mkdir -p "$dir/state"
    if [ -d /var/lib/dnf ]; then cp -R /var/lib/dnf/. "$dir/state"; fi
    own="--setopt=persistdir=$dir/state --setopt=logdir=$dir --disableplugin=generate_completion_cache"
    # Every repository is tried; the reader sees which of them did not come.
    if [ "$refresh" = yes ]; then
      dnf -y $newest $own --setopt="cachedir=$cache" --setopt='*.skip_if_unavailable=True' makecache >"$dir/log" 2>&1 || :
    else
      cache=/var/cache/dnf
    fi
    if dnf -q -C $own --setopt="cachedir=$dir/cache" --disablerepo='*' repoquery --installed --queryformat \
      '%{name}\t%{epoch}\t%{version}\t%{release}\t%{arch}\t%{from_repo}\n' >"$dir/origins" 2>/dev/null; then
      section rpm-origins
      sort -u <"$dir/origins" | quote
    fi
  else
    section manager yum
    echo "yum keeps the package lists as databases, which amiforge does not read" >"$dir/log"
  fi
  for file in "$config"/*.repo /etc/yum/repos.d/*.repo /etc/distro.repos.d/*.repo; do
    [ -f "$file" ] || continue
    section repositories "${file##*/}"
    awk "$repositories" <"$file" >"$dir/text"
    quote <"$dir/text"
  done
  for file in /etc/dnf/dnf.conf /etc/yum.conf; do
    [ -f "$file" ] || continue
    section dnf-config "${file##*/}"
    awk "$repositories" <"$file" >"$dir/text"
    quote <"$dir/text"
  done
  texts dnf-variable /etc/dnf/vars/* /etc/yum/vars/*
  texts dnf-module /etc/dnf/modules.d/*.module
  texts versionlock /etc/dnf/plugins/versionlock.list /etc/yum/pluginconf.d/versionlock.list
  texts zypper-locks /etc/zypp/locks
  section refresh-log
  # Repository names and addresses stand in it, credentials must not.
  tail -n 12 <"$dir/log" | sed 's,://[^/@ ]*@,://,g' | quote
  for index in "$cache"/*/repodata/repomd.xml; do
    [ -f "$index" ] || continue
    folder=${index%/repodata/repomd.xml}
    id=${folder##*/}
    [ "$config" != /etc/yum.repos.d ] || id=$(echo "$id" | sed 's/-[0-9a-f]\{16\}$//')
    section repository "$id"
    quote <"$index"
    list "$id" "$folder" primary "$primary"
    list "$id" "$folder" updateinfo "$updateinfo"
  done
}

# The kernel is the image's own only where the image has its modules: containers see the one of their host.
facts() {
  section facts
  {
    echo "now $(date +%s)"
    echo "uptime $(cut -d ' ' -f 1 /proc/uptime 2>/dev/null || :)"
    echo "first-process $(stat -c %Y /proc/1 2>/dev/null || :)"
    echo "arch $(uname -m)"
    running=$(uname -r)
    if [ -e "/lib/modules/$running" ] || [ -e "/boot/vmlinuz-$running" ]; then echo "running-kernel $running"; fi
    entry=$(grubby --default-kernel 2>/dev/null || :)
    if [ -n "$entry" ]; then echo "default-kernel ${entry##*/vmlinuz-}"; fi
    for file in /run/reboot-required /var/run/reboot-required /run/reboot-needed; do
      if [ -e "$file" ]; then echo "reboot-required $file"; break; fi
    done
    if [ -f /run/reboot-required.pkgs ]; then sort -u /run/reboot-required.pkgs | sed 's/^/reboot-package /'; fi
  } >"$dir/facts"
  quote <"$dir/facts"
  texts patch-states /var/log/amazon/ssm/patch-configuration/patch-states-configuration.json
}

echo "amiforge-inventory 1"
section scope "$whole"
ids=
for file in /etc/os-release /usr/lib/os-release; do
  if [ -f "$file" ]; then
    section os-release
    quote <"$file"
    ids=$(sed -n 's/^ID=//p; s/^ID_LIKE=//p' <"$file" | tr "\\n\"'" '   ')
    break
  fi
done
facts
# By its name and not by what is there: a system of one kind can have the package manager of the other.
case " $ids " in
  *" debian "* | *" ubuntu "*) apt ;;
  *) if command -v rpm >/dev/null; then rpms; else echo "the system has neither apt nor rpm" >&2; exit 3; fi ;;
esac
echo "= end $sections"
)
