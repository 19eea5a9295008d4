/* SPDX-License-Identifier: Apache-2.0 */
/* A D-Bus message: whatever is taken lies within its bytes, whatever body is read too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dbus.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *text, const unsigned char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    check(!text || !*text || (at >= bytes && at + strlen(text) < bytes + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dbus_message m;
    size_t whole = 0;
    const char *a = NULL, *b = NULL, *c = NULL;
    uint32_t number = 0;
    if (size < DBUS_HEAD || dbus_measure(data, &whole) < 0)
        return 0;
    check(whole >= DBUS_HEAD && whole <= DBUS_MESSAGE_MAX);
    if (dbus_parse(data, size, &m) < 0)
        return 0;
    check(whole == size && m.body + m.body_size == data + size);
    check_text(m.path, data, size);
    check_text(m.interface, data, size);
    check_text(m.member, data, size);
    check_text(m.error, data, size);
    check_text(m.signature, data, size);
    static const char *const signatures[] = {"s", "o", "v", "uoss"};
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        m.signature = signatures[i];
        int rc = m.signature[0] == 'u' ? dbus_read(&m, "uoss", &number, &a, &b, &c)
                                       : dbus_read(&m, m.signature, &a);
        if (rc == 0)
            check_text(a, data, size);
    }
    return 0;
}
