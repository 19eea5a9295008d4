/* SPDX-License-Identifier: Apache-2.0 */
/* How the parts of a foreign config.json are read; for src/runtime/bundle*.c only. */
#ifndef CAISSON_RUNTIME_BUNDLE_FIELDS_H
#define CAISSON_RUNTIME_BUNDLE_FIELDS_H

#include "runtime/bundle.h"
#include "runtime/plan_fields.h"

#define BUNDLE_ID_MAX UINT32_C(4294967294) /* -1 means "leave it" to the kernel */
#define BUNDLE_LIST_MAX 65536

#define BUNDLE_AT(member) .at = offsetof(struct bundle, member)
#define BUNDLE_PART(function) .kind = FIELD_CUSTOM, .read = function
#define BUNDLE_OBJECT(table) .kind = FIELD_OBJECT, .members = table

/* The signature of all parts; `into` is the struct bundle. */
#define BUNDLE_READ(name)                                                                          \
    int name(const json_t *value, void *into, const char *key, struct error *err)

BUNDLE_READ(bundle_mounts_read);
BUNDLE_READ(bundle_namespaces_read);
BUNDLE_READ(bundle_uids_read);
BUNDLE_READ(bundle_gids_read);
BUNDLE_READ(bundle_offsets_read);
BUNDLE_READ(bundle_hooks_read);
BUNDLE_READ(bundle_personality_read);
BUNDLE_READ(bundle_io_priority_read);
BUNDLE_READ(bundle_scheduler_read);
BUNDLE_READ(bundle_affinity_read);
BUNDLE_READ(bundle_devices_read);
BUNDLE_READ(bundle_resources_read);
BUNDLE_READ(bundle_rules_read);

/* "is not supported: …", -ENOTSUP. */
int bundle_refuse(struct error *err, const char *key, const char *why);
/* A list of id ranges into *maps, counted in *count. */
int bundle_maps_read(const json_t *value, const char *key, struct bundle_map **maps, size_t *count,
                     struct error *err);
/* An optional number: `absent` when it is not there or null. */
int bundle_number(const json_t *object, const char *key, int64_t min, int64_t max, int64_t absent,
                  int64_t *number, struct error *err);
/* The members major and minor of a device. */
int bundle_numbers(const json_t *item, int64_t *major, int64_t *minor, struct error *err);
/* Limits, values and device rules: what the group gets. */
void bundle_settle_limits(struct bundle *bundle);

extern const struct field bundle_process_fields[];

#endif
