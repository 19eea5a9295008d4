/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "archive/confine.h"
#include "base/json.h"
#include "base/text.h"
#include "cmd/print.h"
#include "cmd/registry_worker.h"
#include "registry/documents.h"

int confine_to_nothing(struct error *err)
{
    const struct confine_paths none = {0};
    int stages = worker_confine(&none, err);
    return stages < 0 ? stages : 0;
}

static int show(const struct document *d, const struct manifest_inspect_options *o, struct buf *out,
                struct error *err)
{
    if (o->digest) {
        buf_fmt(out, "%s\n", d->digest);
        return 0;
    }
    if (o->raw) {
        buf_add(out, d->text.data, d->text.len);
        return 0;
    }
    autojson json = json_parse(buf_text(&d->text), d->text.len, "the manifest", err);
    if (!json)
        return -EINVAL;
    struct json_out w = {.buf = out, .indent = 3};
    if (o->verbose) {
        json_begin(&w, NULL, '{');
        json_str(&w, "Digest", d->digest);
        json_str(&w, "MediaType", d->type);
        json_u64(&w, "Size", d->text.len);
        json_tree(&w, "Manifest", json);
        json_end(&w, '}');
    } else {
        json_tree(&w, NULL, json);
    }
    buf_char(out, '\n');
    return 0;
}

int command_manifest_inspect(const struct invocation *call, void *options, struct error *err)
{
    const struct manifest_inspect_options *o = options;
    autoconf conf = NULL;
    autoreference ref = {0};
    autoconnection c = {0};
    autodocument d = {0};
    autobuf out = {0};
    if (o->digest + o->raw + o->verbose > 1)
        return error_set(err, -EINVAL,
                         "of --digest, --raw and --verbose only one can be asked for");
    int rc = conf_read(&conf, err);
    if (rc == 0)
        rc = conf_reference(conf, call->arguments[0], &ref, err);
    if (rc == 0)
        rc = connect_to_read(conf, &ref, &o->reach, 1, &c, err);
    if (rc == 0)
        rc = confine_to_nothing(err);
    if (rc == 0)
        rc = document_find(&c.client, reference_version(&ref), &d, err);
    if (rc == 0)
        rc = show(&d, o, &out, err);
    return rc < 0 ? rc : print(&out);
}
