/* SPDX-License-Identifier: Apache-2.0 */
#include "build/provenance.h"

#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "oci/reference.h"

#define BUILD_TYPE "https://slsa.dev/container-based-build/v0.1"

int provenance_wanted(const struct build_options *options, bool *wanted, struct error *err)
{
    const char *word = options->provenance;
    *wanted = word && !streq(word, "false");
    if (!word || streq(word, "true") || streq(word, "false") || streq(word, "mode=min"))
        return 0;
    if (streq(word, "mode=max"))
        return error_set(err, -EOPNOTSUPP,
                         "--provenance mode=max would write build arguments into the archive; only "
                         "mode=min is there");
    return error_set(err, -EINVAL, "--provenance %.60s: write true, false or mode=min", word);
}

/* "pkg:docker/debian@12?platform=linux%2Famd64" of a base image, by its manifest. */
static void add_base(struct json_out *w, const char *name, const char *manifest)
{
    autoreference reference = {0};
    autobuf uri = {0}, familiar = {0};
    if (reference_parse(name, &reference, NULL) < 0)
        return;
    reference_familiar(&reference, &familiar);
    const char *colon = strrchr(buf_text(&familiar), ':');
    const char *slash = strrchr(buf_text(&familiar), '/');
    bool tagged = colon && (!slash || colon > slash);
    size_t length = tagged ? (size_t)(colon - buf_text(&familiar)) : familiar.len;
    buf_fmt(&uri, "pkg:docker/%.*s@%s", (int)length, buf_text(&familiar),
            tagged ? colon + 1 : "latest");
    json_begin(w, NULL, '{');
    json_str(w, "uri", buf_text(&uri));
    json_begin(w, "digest", '{');
    json_str(w, "sha256", digest_hex(manifest));
    json_end(w, '}');
    json_end(w, '}');
}

static void add_definition(struct json_out *w, const struct build_options *options,
                           const struct build_input *input, const struct build_result *result)
{
    json_begin(w, "buildDefinition", '{');
    json_str(w, "buildType", BUILD_TYPE);
    json_begin(w, "externalParameters", '{');
    json_begin(w, "configSource", '{');
    json_str(w, "path", input->dockerfile_name);
    json_end(w, '}');
    json_begin(w, "request", '{');
    if (options->target)
        json_str(w, "target", options->target);
    if (options->network)
        json_str(w, "network", options->network);
    json_end(w, '}');
    json_end(w, '}');
    json_begin(w, "internalParameters", '{');
    json_str(w, "platform.os", result->config.os);
    json_str(w, "platform.architecture", result->config.architecture);
    json_end(w, '}');
    json_begin(w, "resolvedDependencies", '[');
    for (size_t i = 0; i + 1 < result->bases.len; i += 2)
        add_base(w, result->bases.items[i], result->bases.items[i + 1]);
    json_end(w, ']');
    json_end(w, '}');
}

static void add_run(struct json_out *w, const struct build_result *result)
{
    unsigned char bytes[16];
    char id[33];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        memset(bytes, 0, sizeof bytes);
    hex_encode(bytes, sizeof bytes, id);
    json_begin(w, "runDetails", '{');
    json_begin(w, "builder", '{');
    json_str(w, "id", "");
    json_end(w, '}');
    json_begin(w, "metadata", '{');
    json_str(w, "invocationId", id);
    json_str(w, "startedOn", result->started);
    json_str(w, "finishedOn", result->finished);
    json_end(w, '}');
    json_end(w, '}');
}

void provenance_write(const struct build_options *options, const struct build_input *input,
                      const struct build_result *result, struct buf *out)
{
    struct json_out w = {.buf = out};
    json_begin(&w, NULL, '{');
    add_definition(&w, options, input, result);
    add_run(&w, result);
    json_end(&w, '}');
}
