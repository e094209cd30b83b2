# Removes what belongs to the build instance and not to the image (image-builder.md section 14, SanitizeInstance;
# component-documents.md section 12). A file named skip_cleanup_* in the working directory keeps its group.
keep() { [ -e "$WORKING_DIRECTORY/$1" ]; }

if ! keep skip_cleanup_cloudinit_files; then
    rm -f /etc/sudoers.d/90-cloud-init-users /etc/locale.conf
    rm -f /var/log/cloud-init.log /var/log/cloud-init-output.log
    rm -rf /var/lib/cloud/data /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/sem
fi

if ! keep skip_cleanup_instance_files; then
    rm -f /etc/.updated /var/.updated /etc/aliases.db /etc/hostname
    rm -f /var/lib/misc/postfix.aliasesdb-stamp /var/lib/postfix/master.lock /var/spool/postfix/pid/master.pid
    rm -f /var/lib/systemd/random-seed
    [ ! -e /etc/machine-id ] || : > /etc/machine-id
    [ ! -f /var/lib/dbus/machine-id ] || [ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
fi

if ! keep skip_cleanup_ssh_files; then
    rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
    rm -f /root/.ssh/authorized_keys /home/*/.ssh/authorized_keys
fi

if ! keep skip_cleanup_instance_log_files; then
    rm -f /var/log/audit/audit.log /var/log/boot.log /var/log/dmesg /var/log/cron /var/log/messages /var/log/secure
    rm -f /var/log/syslog /var/log/auth.log /var/log/maillog /var/log/amazon/efs/*
    rm -rf /var/log/sa/* /var/log/journal/* /var/lib/dhclient/* /var/lib/dhcp/* /var/lib/yum/history/*
fi

if ! keep skip_cleanup_toe_files; then
    rm -rf "$WORKING_DIRECTORY"/TOE_* /var/lib/amazon/toe
fi

if ! keep skip_cleanup_ssm_log_files; then
    rm -rf /var/log/amazon/ssm/* /var/lib/amazon/ssm
fi

# The service overwrites these files before it deletes them. Here they lie on a layer of their own that nobody keeps.
find /var/tmp -mindepth 1 -delete

rmdir /var/lib/amazon 2>/dev/null || :
