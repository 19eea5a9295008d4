/* SPDX-License-Identifier: Apache-2.0 */
/* A compose file that is accepted is JSON of a bounded size, with its variables as well. The first
 * line that has nothing but dashes ends a .env file, which comes before. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "compose/interpolate.h"
#include "compose/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *find(void *closure, const char *name)
{
    const char *value = json_string_value(json_object_get(closure, name));
    return value ? value : streq(name, "EMPTY") ? "" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autobuf text = {0};
    autostrv unset = {0};
    autojson tree = NULL;
    autojson set = json_object();
    struct error err = {0};
    struct variables v = {
        .find = find, .closure = set, .left = 4 << 20, .names_left = 100, .unset = &unset};
    buf_add(&text, data, size);
    char *yaml = (char *)memmem(text.data, text.len, "\n---\n", 5);
    if (yaml) {
        *yaml = '\0';
        if (environment_parse(text.data, ".env", &v, set, &err) < 0 && !err.text[0])
            abort();
        yaml += 5;
    } else {
        yaml = text.data;
    }
    err = (struct error){0};
    if (yaml_read(yaml, text.len - (size_t)(yaml - text.data), "f", &tree, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (interpolate_tree(&v, tree, &err) < 0 && !err.text[0])
        abort();
    if (json_object_size(set) > 100 || unset.len > VARIABLES_UNSET_MAX)
        abort();
    char *json = json_dumps(tree, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!json || strlen(json) > 8 * (size_t)YAML_EXPANDED_MAX)
        abort();
    free(json);
    return 0;
}
