/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that may not be used anywhere in the project, turned into compile errors. The build
 * includes this header before every file. It pulls in the headers that declare the functions first,
 * because a macro must not meet the declaration.
 *
 * Why each: unbounded copies (strcpy family), shared hidden state (strtok, localtime), silent
 * errors (atoi), a shell between us and a program (system, popen), predictable names (mktemp), and
 * code loaded at run time from wherever the host's (or a container's) nsswitch.conf says (NSS).
 */
#ifndef CAISSON_BASE_BANNED_H
#define CAISSON_BASE_BANNED_H

#ifndef __cplusplus

#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BANNED(name) caisson_bans_##name##_here

#undef strcpy
#define strcpy(...) BANNED(strcpy)
#undef strcat
#define strcat(...) BANNED(strcat)
#undef strncpy
#define strncpy(...) BANNED(strncpy)
#undef strncat
#define strncat(...) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef strtok
#define strtok(...) BANNED(strtok)
#undef atoi
#define atoi(...) BANNED(atoi)
#undef atol
#define atol(...) BANNED(atol)
#undef system
#define system(...) BANNED(system)
#undef popen
#define popen(...) BANNED(popen)
#undef mktemp
#define mktemp(...) BANNED(mktemp)
#undef tmpnam
#define tmpnam(...) BANNED(tmpnam)
#undef localtime
#define localtime(...) BANNED(localtime)
#undef gmtime
#define gmtime(...) BANNED(gmtime)
#undef ctime
#define ctime(...) BANNED(ctime)
#undef asctime
#define asctime(...) BANNED(asctime)
#undef getpwnam
#define getpwnam(...) BANNED(getpwnam)
#undef getpwuid
#define getpwuid(...) BANNED(getpwuid)
#undef getgrnam
#define getgrnam(...) BANNED(getgrnam)
#undef getgrgid
#define getgrgid(...) BANNED(getgrgid)
#undef initgroups
#define initgroups(...) BANNED(initgroups)
#undef getgrouplist
#define getgrouplist(...) BANNED(getgrouplist)
#undef getaddrinfo
#define getaddrinfo(...) BANNED(getaddrinfo)
#undef gethostbyname
#define gethostbyname(...) BANNED(gethostbyname)
#undef getservbyname
#define getservbyname(...) BANNED(getservbyname)

#endif
#endif
