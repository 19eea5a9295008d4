/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of sources from elsewhere. What is taken apart never begins with a dash, leads out of a
 * directory or has a control character. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "build/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds)
{
    if (!holds)
        abort();
}

static void harmless(const char *text)
{
    for (; text && *text; text++)
        expect((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofree char *text = xstrndup((const char *)data, size);
    autoremote r = {0};
    autobuf bare = {0};
    struct error err = {0};
    remote_redact(text, &bare);
    if (remote_parse(text, &r, &err) < 0) {
        expect(err.text[0] != '\0');
        return 0;
    }
    harmless(r.address);
    harmless(r.user);
    harmless(r.password);
    harmless(r.name);
    harmless(r.ref);
    harmless(r.subdir);
    expect(r.kind != REMOTE_NONE && r.port > 0 && r.host[0] && r.host[0] != '-');
    expect(r.address[0] != '-' && !(r.ref && (r.ref[0] == '-' || strstr(r.ref, ".."))));
    expect(!r.name || (!strchr(r.name, '/') && strcmp(r.name, "..") != 0 && r.name[0]));
    if (r.subdir) {
        autofree char *whole = xasprintf("/%s/", r.subdir);
        expect(!strstr(whole, "/../") && !strstr(whole, "//"));
    }
    return 0;
}
