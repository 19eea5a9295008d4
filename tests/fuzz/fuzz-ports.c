/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted as ports, of -p or of an image, can be written and read again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "network/ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_publish(const char *text)
{
    autobindings ports = {0};
    struct error err = {0};
    if (port_parse_publish(text, &ports, &err) < 0)
        return;
    for (size_t i = 0; i < ports.count; i++) {
        autobindings again = {0};
        char word[PORT_TEXT_MAX];
        port_binding_format(&ports.items[i], word);
        if (port_parse_publish(word, &again, &err) < 0 || again.count != 1 ||
            memcmp(&again.items[0], &ports.items[i], sizeof ports.items[i]) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf text = {0};
    struct port_range range, again;
    struct published p;
    struct error err = {0};
    char word[PORT_TEXT_MAX];
    buf_add(&text, data, size);
    check_publish(buf_text(&text));
    if (port_parse_range(buf_text(&text), &range, &err) == 0) {
        port_range_format(&range, word);
        if (port_parse_range(word, &again, &err) < 0 || memcmp(&again, &range, sizeof range) != 0)
            abort();
    }
    for (const char *at = buf_text(&text); published_next(&at, &p);)
        ;
    return 0;
}
