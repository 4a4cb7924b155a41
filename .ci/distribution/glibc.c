/*
 * What Debian's static libraries want of a younger glibc than the one file needs.
 *
 * Lives here: names that glibc got after 2.17. Must not live here: anything that is not in glibc.
 */
#include <fcntl.h>
#include <stdarg.h>

/* In libsqlite3.a; from glibc 2.28. On x86-64 it and fcntl are one function. */
int fcntl64(int descriptor, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return fcntl(descriptor, command, argument);
}
