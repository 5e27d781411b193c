for name in etc/table-loader etc/acpi/rsdp etc/acpi/tables; do
    echo "BEGIN $name"
    /usr/bin/busybox gzip -c "/sys/firmware/qemu_fw_cfg/by_name/$name/raw" | /usr/bin/busybox base64
    echo "END $name"
done
