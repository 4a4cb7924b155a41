/*
 * The one file: CPython linked statically, with everything it imports in a zip archive behind it.
 *
 * Lives here: where the archive is, and that neither the environment nor the machine's own Python
 * has a say in what is run. Must not live here: what is run, which is start.py in the archive.
 *
 * Nothing is unpacked: pure modules are imported out of this file, and extension modules are loaded
 * from memory, so that it needs neither a temporary folder nor a right to write anywhere.
 */
#include <Python.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* memory_file.create(name) gives the number of a file in memory, closed in child processes; it is
 * os.memfd_create for a C library that does not have it. From Linux 3.17. */
static PyObject *create(PyObject *module, PyObject *name)
{
    (void)module;
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL)
        return NULL;
    long descriptor = syscall(SYS_memfd_create, text, 1 /* MFD_CLOEXEC */);
    if (descriptor < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyLong_FromLong(descriptor);
}

static PyMethodDef methods[] = {{"create", create, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef memory_file = {
    PyModuleDef_HEAD_INIT, .m_name = "memory_file", .m_size = 0, .m_methods = methods};

static PyObject *init_memory_file(void)
{
    return PyModuleDef_Init(&memory_file);
}

/* Finds this file; in a chroot without /proc, by the name that it was called with. */
static int own_path(const char *called, char path[PATH_MAX])
{
    ssize_t size_bytes = readlink("/proc/self/exe", path, PATH_MAX - 1);
    if (size_bytes > 0) {
        path[size_bytes] = '\0';
        return 1;
    }
    return realpath(called, path) != NULL;
}

static void end(PyStatus status, PyConfig *config)
{
    if (config != NULL)
        PyConfig_Clear(config);
    Py_ExitStatusException(status);
}

int main(int argc, char **argv)
{
    char path[PATH_MAX];
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    if (argc < 1 || !own_path(argv[0], path)) {
        fputs("error: this program cannot find its own file; nothing was changed\n"
              "hint: mount /proc, or call it by its whole path\n", stderr);
        return 70;
    }
    if (PyImport_AppendInittab("memory_file", init_memory_file) < 0)
        end(PyStatus_NoMemory(), NULL);
    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1; /* an empty environment has no locale, and names of files are UTF-8 */
    status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status))
        end(status, NULL);

    PyConfig_InitIsolatedConfig(&config);
    config.install_signal_handlers = 1; /* Ctrl-C is a way to end a command */
    config.site_import = 0;
    config.write_bytecode = 0;
    config.pathconfig_warnings = 0;
    config.module_search_paths_set = 1;
    wchar_t *archive = Py_DecodeLocale(path, NULL);
    if (archive == NULL)
        end(PyStatus_NoMemory(), &config);
    status = PyWideStringList_Append(&config.module_search_paths, archive);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetString(&config, &config.executable, archive);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetString(&config, &config.prefix, archive);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetString(&config, &config.exec_prefix, archive);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesArgv(&config, argc, argv);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetString(&config, &config.run_command, L"import start");
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyMem_RawFree(archive);
    if (PyStatus_Exception(status))
        end(status, &config);
    PyConfig_Clear(&config);
    return Py_RunMain();
}
