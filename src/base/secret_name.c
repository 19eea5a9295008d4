/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret_name.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Is one of `words`, whatever the case. */
static bool is_one_of(const char *part, size_t length, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == length && strncasecmp(part, words[i], length) == 0)
            return true;
    return false;
}

bool secret_name(const char *name, size_t length, bool loose)
{
    static const char *const parts[] = {"apikey",   "auth",  "credential", "credentials", "passwd",
                                        "password", "pword", "secret",     "token",       "key"};
    static const char *const last[] = {"file", "version"};
    bool secret = false;
    /* Only what stands between underscores is a part of a name. */
    for (size_t i = 0; i < length;) {
        size_t end = i;
        while (end < length && name[end] != '_')
            end++;
        secret |= is_one_of(name + i, end - i, parts, COUNT(parts) - !loose);
        /* PUBLIC_KEY is none, PASSWORD_FILE says where it is, AUTH_VERSION is about a program. */
        if ((end - i == 6 && strncasecmp(name + i, "public", 6) == 0) ||
            (end == length && is_one_of(name + i, end - i, last, COUNT(last))))
            return false;
        i = end + 1;
    }
    return secret;
}

bool secret_name_maybe(const char *name)
{
    /* Anywhere in it … */
    static const char *const anywhere[] = {
        "access_key", "accesskey", "api_key",    "apikey", "connection_string",
        "credential", "masterkey", "passphrase", "passwd", "password",
        "privatekey", "secret",    "sshkey",     "token",  "webhook"};
    /* … and as one of its words. */
    static const char *const words[] = {"auth", "creds", "database_url", "dsn",    "jwt",
                                        "key",  "keys",  "pass",         "pat",    "private",
                                        "pwd",  "pw",    "pword",        "session"};
    /* What an image is called is told everybody: AUTH_TAG is the tag of a service "auth". */
    static const char *const last[] = {"file", "image", "registry", "tag", "version"};
    for (size_t i = 0; i < COUNT(anywhere); i++)
        if (strcasestr(name, anywhere[i]))
            return true;
    const char *underscore = strrchr(name, '_');
    if (underscore && is_one_of(underscore + 1, strlen(underscore + 1), last, COUNT(last)))
        return false;
    for (size_t i = 0; i < COUNT(words); i++)
        for (const char *at = name; (at = strcasestr(at, words[i])); at++) {
            char after = at[strlen(words[i])];
            if ((at == name || at[-1] == '_') && (!after || after == '_'))
                return true;
        }
    return false;
}

bool secret_value_maybe(const char *value)
{
    const char *at = strchr(value, '@');
    return strstr(value, "://") || (at && strncmp(at, "@sha256:", 8) != 0);
}
