# Looks for what an image should not carry and prints one line for each thing it has to say, with tabs between the words:
#   RULE found PATH     something is there
#   RULE more COUNT     as many again are not printed
#   RULE looked         the rule was looked at to its end
#   RULE failed WHY     it was not
# Whatever is found is printed behind the name of its rule, so no name of a file can pretend to be another line.
export LC_ALL=C
most=200
tab=$(printf '\t')

# Process 1, not the uptime: in a container the uptime is that of the host. Field 22 of stat, counted from behind the name,
# is its start in clock ticks after the boot of the kernel.
started() {
  boot=$(awk '$1 == "btime" { print $2 }' /proc/stat) &&
    ticks=$(sed 's/^.*) //' /proc/1/stat | awk '{ print $20 }') &&
    awk -v boot="$boot" -v ticks="$ticks" -v each="$(getconf CLK_TCK)" \
      'BEGIN { if (boot < 1 || ticks == "" || each < 1) exit 1; printf "@%.2f", boot + ticks / each }'
}

# find in those of these folders that there are; "--" ends them.
within() {
  folders=
  while [ "$1" != -- ]; do
    if [ -d "$1" ]; then folders="$folders $1"; fi
    shift
  done
  shift
  if [ -z "$folders" ]; then return 0; fi
  # None of the folders has a blank in its name.
  # shellcheck disable=SC2086
  find $folders -xdev "$@"
}

host_keys() { within /etc/ssh -- -type f -name 'ssh_host_*_key' ! -newermt "$since"; }

authorized_keys() { within /root /home /etc/ssh -- -type f -name 'authorized_keys*' -size +0 ! -newermt "$since"; }

machine_id() {
  for file in /etc/machine-id /var/lib/dbus/machine-id; do
    # The second one is a link to the first, or not there at all, on most systems.
    if [ ! -f "$file" ] || [ -L "$file" ] || grep -qsx uninitialized "$file"; then continue; fi
    find "$file" -size +0 ! -newermt "$since" || return 1
  done
}

cloud_init() { within /var/lib/cloud/instances -- -mindepth 1 -maxdepth 1 ! -newermt "$since"; }

credentials() {
  within /root /home /etc/apt -- -type f -size +0 \( -path '*/.aws/credentials' -o -path '*/.ssh/id_*' ! -name '*.pub' \
    -o -name .netrc -o -name .pgpass -o -name .my.cnf -o -name .git-credentials -o -name .vault-token -o -name .boto \
    -o -name .s3cfg -o -name .pypirc -o -path '*/.docker/config.json' -o -path '*/.kube/config' -o -path '*/.config/gcloud/*' \
    -o -path '*/.azure/*' -o -path '/etc/apt/auth.conf*' \)
}

histories() {
  within /root /home -- -type f -size +0 \( -name '.*_history' -o -name .lesshst -o -name .viminfo -o -name .wget-hsts \)
}

logs() {
  within /var/log -- -type f -size +0 ! -newermt "$since" \( -name 'auth.log*' -o -name 'secure*' -o -name wtmp -o -name btmp \
    -o -name 'messages*' -o -name 'syslog*' -o -name 'cloud-init*.log' -o -path '*/journal/*' -o -path '*/audit/*' \)
}

package_caches() {
  within /var/lib/apt/lists -- -type f -size +0 ! -name lock ! -newermt "$since" &&
    within /var/cache/apt/archives /var/cache/dnf /var/cache/yum /var/cache/libdnf5 /var/cache/zypp/packages -- -type f \
      \( -name '*.deb' -o -name '*.rpm' \) ! -newermt "$since"
}

# Names only: no hash leaves the machine. An entry without a password lets everybody in.
passwords() {
  if [ ! -e /etc/shadow ]; then return 0; fi
  awk -F: '$2 == "" { print $1 " (no password at all)" } $2 ~ /^[^!*]/ { print $1 }' /etc/shadow
}

# A key of a package's own tests or examples is nobody's secret. grep says with 1 that there is nothing.
private_keys() {
  within /etc /root /home /opt /srv -- -type f -size -64k ! -name 'ssh_host_*_key' ! -path '*/.ssh/id_*' \
    ! -path '*/test/*' ! -path '*/tests/*' ! -path '*/examples/*' ! -newermt "$since" \
    -exec sh -c 'grep -lE -e "^-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----" "$@" || [ $? -eq 1 ]' grep {} +
}

sudoers() {
  if [ -e /etc/sudoers ] && [ -n "$(find /etc/sudoers ! -newermt "$since")" ]; then
    awk '/^[^#]*NOPASSWD/ { found = 1 } END { if (found) print FILENAME }' /etc/sudoers || return 1
  fi
  within /etc/sudoers.d -- -type f ! -newermt "$since" \
    -exec awk 'FNR == 1 { seen = 0 } /^[^#]*NOPASSWD/ && !seen { print FILENAME; seen = 1 }' {} +
}

swap() {
  for file in /swapfile /swap.img /var/swapfile; do
    if [ -e "$file" ]; then printf '%s\n' "$file"; fi
  done
  if [ ! -e /etc/fstab ]; then return 0; fi
  awk '$1 !~ /^#/ && $3 == "swap" { print $1 " in /etc/fstab" }' /etc/fstab
}

agent_state() {
  within /var/lib/amazon/ssm /var/log/amazon/ssm -- -type f -size +0 ! -newermt "$since" \
    \( -path '/var/lib/amazon/ssm/*registration*' -o -path '/var/lib/amazon/ssm/*Vault*' -o -path '/var/log/amazon/*' \)
}

build_leftovers() {
  within /tmp /var/tmp -- -mindepth 1 -maxdepth 1 ! -newermt "$since" &&
    within /var/lib/amazon/toe /var/log/amazon/toe -- -type f -size +0 ! -newermt "$since"
}

world_writable() {
  within /etc /usr /opt /srv /root /home /boot /var -- ! -path '/var/tmp/*' ! -path '/var/cache/*' \
    \( -type f -perm -0002 -o -type d -perm -0002 ! -perm -1000 \)
}

# Something may vanish while it is looked at, so a look that failed is done once more.
look() {
  rule=$1
  if found=$("$2" 2>"$complaints") || found=$("$2" 2>"$complaints"); then
    if [ -n "$found" ]; then
      printf '%s\n' "$found" | head -n "$most" | sed "s|^|$rule${tab}found${tab}|"
      count=$(printf '%s\n' "$found" | wc -l)
      if [ "$count" -gt "$most" ]; then printf '%s\tmore\t%s\n' "$rule" "$((count - most))"; fi
    fi
    printf '%s\tlooked\n' "$rule"
  else
    printf '%s\tfailed\t%s\n' "$rule" "$(head -n 1 "$complaints")"
  fi
}

complaints=$(mktemp)
if since=$(started); then
  look agent-state agent_state
  look authorized-keys authorized_keys
  look build-leftovers build_leftovers
  look cloud-init cloud_init
  look credentials credentials
  look histories histories
  look host-keys host_keys
  look logs logs
  look machine-id machine_id
  look package-caches package_caches
  look passwords passwords
  look private-keys private_keys
  look sudoers sudoers
  look swap swap
  look world-writable world_writable
else
  printf '*\tfailed\tit cannot be told when the instance was started\n'
fi
rm -f "$complaints"
