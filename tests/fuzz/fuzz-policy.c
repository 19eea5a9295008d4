/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted as policy.json has rules for every image, and none that is empty. */
#include <stdint.h>
#include <stdlib.h>

#include "registry/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"alpine", "registry.example.com/team/app:1",
                                        "localhost:5000/x@sha256:"
                                        "6457d53fb065d6f250e1504b9bc42d5b6c65941d57532c072d929dd0"
                                        "628977d0"};
    static const char *const claims[] = {"registry.example.com/team/app:1",
                                         "registry.example.com/team/app", ""};
    autopolicy policy = NULL;
    struct error err = {0};
    if (policy_parse((const char *)data, size, "policy.json", &policy, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    for (size_t i = 0; i < 3; i++) {
        autoreference ref = {0};
        if (reference_parse(names[i], &ref, NULL) < 0)
            abort();
        const struct rules *rules = policy_rules(policy, &ref);
        if (rules->count == 0)
            abort();
        for (size_t r = 0; r < rules->count; r++)
            for (size_t c = 0; c < 3; c++)
                (void)identity_matches(&rules->items[r].identity, &ref, claims[c]);
    }
    return 0;
}
