/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of control files as properties of units: systemd.resource-control(5), and
 * org.freedesktop.systemd1(5) for their types. Owns no state.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/dbus.h"
#include "base/memory.h"
#include "base/strv.h"
#include "base/text.h"
#include "runtime/systemd.h"

#define SET_BITS 8192 /* processors or nodes: as many as the kernel can be built for */
#define SECOND 1000000
#define PERCENT (SECOND / 100) /* of a processor: systemd keeps no smaller share */

enum kind {
    NUMBER, /* "512", "max", "default 100" */
    QUOTA,  /* "150000 100000", "max 100000" */
    SET,    /* "0-3,7" */
};

static const struct {
    const char *file, *property;
    enum kind kind;
} table[] = {
    {"cpu.max", "CPUQuotaPerSecUSec", QUOTA}, {"cpu.weight", "CPUWeight", NUMBER},
    {"cpuset.cpus", "AllowedCPUs", SET},      {"cpuset.mems", "AllowedMemoryNodes", SET},
    {"io.weight", "IOWeight", NUMBER},        {"memory.high", "MemoryHigh", NUMBER},
    {"memory.low", "MemoryLow", NUMBER},      {"memory.max", "MemoryMax", NUMBER},
    {"memory.min", "MemoryMin", NUMBER},      {"memory.swap.max", "MemorySwapMax", NUMBER},
    {"pids.max", "TasksMax", NUMBER},
};

static void begin(struct systemd_properties *p, const char *name, const char *signature)
{
    dbus_begin_struct(&p->body);
    dbus_put_string(&p->body, name);
    dbus_put_signature(&p->body, signature);
}

static void put_number(struct systemd_properties *p, const char *name, uint64_t value)
{
    begin(p, name, "t");
    dbus_put_u64(&p->body, value);
}

static int parse_number(const char *text, uint64_t *value)
{
    if (streq(text, "max")) {
        *value = UINT64_MAX;
        return 0;
    }
    return parse_u64(text, INT64_MAX, value);
}

static int number(struct systemd_properties *p, const char *name, const char *text)
{
    uint64_t value = 0;
    int rc = parse_number(starts_with(text, "default ") ? text + strlen("default ") : text, &value);
    if (rc == 0)
        put_number(p, name, value);
    return rc;
}

/* systemd counts in microseconds for each second, and rounds down to whole percents: rounded up
 * before, nobody below the group gets less than was asked for. */
static int quota(struct systemd_properties *p, const char *name, const char *text)
{
    autostrv words = {0};
    uint64_t most = 0, period = 0;
    strv_split(&words, text, ' ');
    if (words.len != 2 || parse_number(words.items[0], &most) < 0 ||
        parse_u64(words.items[1], SECOND, &period) < 0 || period == 0)
        return -EINVAL;
    if (most <= UINT64_MAX / SECOND)
        most = (most * SECOND / period + PERCENT - 1) / PERCENT * PERCENT;
    else
        most = UINT64_MAX;
    put_number(p, name, most);
    put_number(p, "CPUQuotaPeriodUSec", period);
    return 0;
}

/* "3" or "0-3" into the bits, of which *count bytes are used. */
static int add_range(const char *text, unsigned char *bits, size_t *count)
{
    autostrv ends = {0};
    uint64_t first = 0, last = 0;
    strv_split(&ends, text, '-');
    if (ends.len > 2 || parse_u64(ends.items[0], SET_BITS - 1, &first) < 0 ||
        parse_u64(ends.items[ends.len - 1], SET_BITS - 1, &last) < 0 || last < first)
        return -EINVAL;
    for (uint64_t i = first; i <= last; i++)
        bits[i / 8] |= (unsigned char)(1u << i % 8);
    if (last / 8 + 1 > *count)
        *count = last / 8 + 1;
    return 0;
}

static int set(struct systemd_properties *p, const char *name, const char *text)
{
    unsigned char bits[SET_BITS / 8] = {0};
    size_t count = 0;
    autostrv ranges = {0};
    strv_split(&ranges, text, ',');
    for (size_t i = 0; i < ranges.len; i++)
        if (add_range(ranges.items[i], bits, &count) < 0)
            return -EINVAL;
    begin(p, name, "ay");
    struct dbus_array bytes = dbus_begin_array(&p->body, 1);
    buf_add(&p->body, bits, count);
    dbus_end_array(&p->body, bytes);
    return 0;
}

int systemd_property_of_file(struct systemd_properties *p, const char *file, const char *value,
                             struct error *err)
{
    size_t i = 0, count = sizeof table / sizeof *table;
    while (i < count && !streq(table[i].file, file))
        i++;
    if (i == count)
        return 0;
    int rc = table[i].kind == NUMBER  ? number(p, table[i].property, value)
             : table[i].kind == QUOTA ? quota(p, table[i].property, value)
                                      : set(p, table[i].property, value);
    if (rc < 0)
        return error_set(err, -EINVAL, "'%.100s' is no value of %s that systemd can be told", value,
                         file);
    return 0;
}
