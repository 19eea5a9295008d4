/* SPDX-License-Identifier: Apache-2.0 */
#include "container/names.h"

#include <stdint.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/text.h"

static const char *const adjectives[] = {
    "able",   "amber",  "ample",  "apt",      "autumn",  "azure",   "balmy",    "blithe", "bold",
    "brave",  "breezy", "bright", "brisk",    "calm",    "candid",  "caring",   "cheery", "civil",
    "clear",  "clever", "coral",  "cosy",     "crisp",   "curious", "daring",   "dapper", "deft",
    "eager",  "early",  "easy",   "fair",     "festive", "fleet",   "fond",     "frank",  "fresh",
    "gentle", "glad",   "golden", "graceful", "handy",   "happy",   "hardy",    "hearty", "honest",
    "humble", "ivory",  "jolly",  "jovial",   "keen",    "kind",    "lively",   "loyal",  "lucid",
    "lucky",  "mellow", "merry",  "mild",     "modest",  "neat",    "nimble",   "noble",  "patient",
    "placid", "polite", "proud",  "quick",    "quiet",   "ready",   "robust",   "rosy",   "serene",
    "silver", "snug",   "steady", "sunny",    "swift",   "tidy",    "tranquil", "upbeat", "valiant",
    "vivid",  "warm",   "wise",   "witty",    "zesty",
};

static const char *const nouns[] = {
    "acorn",   "alder",   "anchor",  "apricot", "aspen",  "badger", "beacon",  "beech",   "birch",
    "bison",   "bramble", "brook",   "canyon",  "cedar",  "cherry", "clover",  "comet",   "compass",
    "cove",    "crane",   "cricket", "cypress", "daisy",  "delta",  "dolphin", "dune",    "elm",
    "falcon",  "fern",    "finch",   "fjord",   "fox",    "garden", "glacier", "grove",   "harbour",
    "hare",    "hazel",   "heather", "heron",   "hill",   "iris",   "island",  "jasmine", "juniper",
    "kestrel", "lagoon",  "lantern", "lark",    "laurel", "lemon",  "lichen",  "lily",    "lynx",
    "maple",   "marten",  "meadow",  "minnow",  "moss",   "oak",    "olive",   "orchard", "osprey",
    "otter",   "pebble",  "pelican", "pine",    "plover", "plum",   "poppy",   "prairie", "quail",
    "quartz",  "quince",  "rapids",  "reef",    "robin",  "rowan",  "sparrow", "spruce",  "summit",
    "swallow", "thistle", "tulip",   "valley",  "walnut", "willow", "wren",
};

#define COUNT(words) (sizeof(words) / sizeof(words)[0])

static bool plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

int container_check_name(const char *name, struct error *err)
{
    size_t length = strlen(name);
    if (length > CONTAINER_NAME_MAX)
        return error_set(err, -EINVAL, "the container's name may not be longer than %d characters",
                         CONTAINER_NAME_MAX);
    bool good = length >= 2 && plain(name[0]);
    for (size_t i = 1; good && i < length; i++)
        good = plain(name[i]) || strchr("_.-", name[i]);
    if (good)
        return 0;
    autobuf shown = {0};
    buf_printable(&shown, name);
    return error_set(err, -EINVAL,
                     "\"%s\" is not a container name: it takes at least two characters, letters, "
                     "digits, '_', '.' and '-', and begins with a letter or digit",
                     buf_text(&shown));
}

void container_random_name(char out[64])
{
    uint32_t random[2] = {0};
    /* At most 256 bytes are never cut short; without randomness the name is the same each time, and
     * whoever claims it finds it taken. */
    (void)!getrandom(random, sizeof random, GRND_NONBLOCK);
    snprintf(out, 64, "%s_%s", adjectives[random[0] % COUNT(adjectives)],
             nouns[random[1] % COUNT(nouns)]);
}
