/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/trust_worker.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd/print.h"

#define TOLD "policy-told" /* in the store: it was said */

void tell_of_policies(const struct store *store, const struct policy *policy)
{
    if (policy_file(policy) || streq(getenv("CAISSON_HINTS"), "no"))
        return;
    /* Whoever makes the file says it. */
    autofd fd = openat(store->root_fd, TOLD, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        tell_warning("there is no policy.json, so images are accepted whoever signed them; "
                     "~/.config/containers/policy.json or /etc/containers/policy.json would say "
                     "who has to (this is said once)");
}
