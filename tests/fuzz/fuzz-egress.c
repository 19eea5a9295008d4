/* SPDX-License-Identifier: Apache-2.0 */
/* The words of --egress, resolv.conf, the file of a network's names and that of what its lists let
 * pass: what is taken is written and read again as the same. The first byte says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "network/egress_log.h"
#include "network/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const char *text)
{
    autoegress list = {0}, again = {0};
    autobuf first = {0}, second = {0};
    struct error err = {0};
    if (egress_parse(text, &list, &err) < 0) {
        if (!err.text[0])
            abort();
        return;
    }
    egress_format(&list, &first);
    if (egress_parse(buf_text(&first), &again, &err) < 0)
        abort();
    egress_format(&again, &second);
    if (!streq(buf_text(&first), buf_text(&second)))
        abort();
}

static void check_names(const char *text, size_t size)
{
    autonames names = {0}, again = {0};
    autobuf first = {0}, second = {0};
    struct error err = {0};
    if (names_parse(text, size, &names, &err) < 0)
        return;
    names_format(&names, &first);
    if (names_parse(buf_text(&first), first.len, &again, &err) < 0)
        abort();
    names_format(&again, &second);
    if (!streq(buf_text(&first), buf_text(&second)))
        abort();
}

static void check_log(char *text)
{
    static struct egress_log log, again;
    autobuf first = {0}, second = {0};
    log.count = again.count = 0;
    egress_log_parse(text, &log);
    egress_log_format(&log, &first);
    egress_log_parse(first.data ? first.data : text + strlen(text), &again);
    egress_log_format(&again, &second);
    if (again.count != log.count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf text = {0};
    struct ip_address servers[NAMES_UPSTREAMS];
    if (size == 0)
        return 0;
    buf_add(&text, data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        check_list(buf_text(&text));
        return 0;
    case 1:
        check_names(buf_text(&text), text.len);
        return 0;
    case 3:
        if (text.len > 0)
            check_log(text.data);
        return 0;
    default:
        (void)names_read_servers(buf_text(&text), servers);
        return 0;
    }
}
