/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of config.json, once for both directions.
 *
 * A document is a table of fields; a field is a plain member of a struct, an object with a table of
 * its own, or, where JSON and struct differ, a pair of functions. Writing and reading walk the same
 * table, so that neither can know a member that the other does not. For src/runtime/plan*.c only.
 */
#ifndef CAISSON_RUNTIME_PLAN_FIELDS_H
#define CAISSON_RUNTIME_PLAN_FIELDS_H

#include "base/json.h"
#include "runtime/plan.h"

enum field_kind {
    FIELD_TEXT,    /* char *: one line; NULL is left out */
    FIELD_CONTENT, /* char *: any text, the content of a file */
    FIELD_ID,      /* char *: [a-zA-Z0-9][a-zA-Z0-9_.-]* */
    FIELD_PATH,    /* char *: absolute, without ".." */
    FIELD_DIGEST,  /* char *: sha256:… */
    FIELD_BOOL,
    FIELD_I64, /* a value below `min` means "not asked for" and is left out */
    FIELD_U32,
    FIELD_LIST, /* struct strv as an array; left out when empty, like everything below */
    FIELD_PATHS,
    FIELD_DIGESTS,
    FIELD_MAP,    /* struct strv of "key=value" as an object; the last of equal keys counts */
    FIELD_CAPS,   /* uint64_t as an array of names */
    FIELD_OBJECT, /* `members`, of the same struct */
    FIELD_CUSTOM, /* `write` and `read` */
};

struct field {
    const char *key; /* NULL ends a table */
    enum field_kind kind;
    bool must; /* absence is an error */
    size_t at; /* offset of the member in the struct */
    int64_t min, max;
    const struct field *members;
    void (*write)(const void *from, const char *key, struct json_out *w);
    int (*read)(const json_t *value, void *into, const char *key, struct error *err);
};

#define PLAN_ENDPOINTS_MAX 16
#define FIELD_LIST_MAX 65536 /* elements of a list, members of a map */
#define VOLUME_NAME_MAX 255

extern const struct field plan_fields[];
extern const struct field protection_fields[];
extern const struct field endpoint_fields[];

void fields_write(const struct field *table, const void *from, struct json_out *w);
/* Errors start with the member's name: "process.cwd must be …". */
int fields_read(const struct field *table, const json_t *object, void *into, struct error *err);

/* What is wrong with a text as a field of this kind; NULL: nothing. */
const char *field_text_fault(const struct field *field, const char *text);
/* The members that lean on each other. */
int plan_check_whole(const struct plan *plan, struct error *err);
/* JSON of at most PLAN_TEXT_MAX bytes, in which the one number that is no signed one, 2^64-1, has
 * become -1. `what` names it in errors. */
json_t *plan_parse(const char *text, size_t length, const char *what, struct error *err);

/* --- for the functions of FIELD_CUSTOM ---------------------------------------------------------
 */

/* Puts "key." or "key[index]." before the sentence that is there. */
int field_under(struct error *err, int rc, const char *key);
int field_under_item(struct error *err, int rc, const char *key, size_t index);
/* -EINVAL and "key must be …". */
int field_wrong(struct error *err, const char *key, const char *must_be);
/* `value` must be an array of at most `max` elements. */
int field_array(const json_t *value, const char *key, size_t max, struct error *err);
/* Members of `object`: -EINVAL when they are missing or something else. Strings are borrowed. */
int field_string(const json_t *object, const char *key, const char **text, struct error *err);
int field_number(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *number,
                 struct error *err);
bool field_is_id(const char *text);
/* The same as long as a volume's name may be. */
bool field_is_volume(const char *text);

/* An array of one range of ids. */
void write_mapping(struct json_out *w, const char *key, uint64_t inside, uint64_t outside,
                   uint64_t size);

#define FIELD_PAIR(name)                                                                           \
    void name##_write(const void *from, const char *key, struct json_out *w);                      \
    int name##_read(const json_t *value, void *into, const char *key, struct error *err)

FIELD_PAIR(part_oci_version);
FIELD_PAIR(part_version);
FIELD_PAIR(part_root_path);
FIELD_PAIR(part_groups);
FIELD_PAIR(part_rlimits);
FIELD_PAIR(part_apparmor);
FIELD_PAIR(part_selinux);
FIELD_PAIR(part_mounts);
FIELD_PAIR(part_standard_mounts);
FIELD_PAIR(part_namespaces);
FIELD_PAIR(part_id_mappings);
FIELD_PAIR(part_devices);
FIELD_PAIR(part_device_hosts);
FIELD_PAIR(part_device_rules);
FIELD_PAIR(part_cgroups_path);
FIELD_PAIR(part_endpoints);
FIELD_PAIR(part_ports);
FIELD_PAIR(part_seccomp);
FIELD_PAIR(part_ipc);
FIELD_PAIR(part_posture);

/* What is read into: a plan, and how many mounts come before its own. */
struct plan_reading {
    struct plan plan; /* first: the tables' offsets count from here */
    size_t standard_mounts;
};

/* Names of single bits, shared by both directions. */
struct plan_word {
    const char *name;
    unsigned long value;
};
extern const struct plan_word plan_namespace_words[]; /* enum plan_namespace; "mount" is 0 */
extern const struct plan_word plan_propagation_words[];
extern const struct plan_word plan_seccomp_words[];
extern const struct plan_word plan_ipc_words[];

struct mount_option {
    const char *on, *off; /* the option that sets and the one that clears it; NULL: none */
    size_t at;            /* a bool of struct plan_mount */
};
extern const struct mount_option plan_mount_options[];

#define PLAN_VERSION 1
#define PLAN_ROOT_PATH "rootfs"
#define PLAN_JOIN_PREFIX "container:"

#endif
