/* The adversary's responses to rows of losses: the smoothed maximum with its weights, and the step of mirror ascent. */
#include "response.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "vectors.h"

typedef struct {
    const void *log_weights, *losses, *log_prior; /* the log-prior, of weights that add up to 1, is read with a forgetting or a floor */
    const unsigned char *present;                 /* all: NULL */
    void *out;
    int64_t rows, tasks;
    double step_size, forgetting, floor;
} mirror;

#define DOUBLE 0
#include "numbers.h"
#include "response_body.h"
#undef DOUBLE
#define DOUBLE 1
#include "numbers.h"
#include "response_body.h"

static void *address(PyObject *object)
{
    return (void *)(intptr_t)PyLong_AsLongLong(object);
}

/* smooth_max(losses, rows, tasks, double; prior or 0, smoothing, values, weights). */
PyObject *smooth_max(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    if (n != 8)
        return PyErr_Format(PyExc_TypeError, "smooth_max takes 8 arguments, got %zd.", n);
    const void *losses = address(args[0]), *prior = address(args[4]);
    int64_t rows = PyLong_AsLongLong(args[1]), tasks = PyLong_AsLongLong(args[2]);
    int wide = (int)PyLong_AsLong(args[3]);
    double smoothing = PyFloat_AsDouble(args[5]);
    void *values = address(args[6]), *weights = address(args[7]);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (wide)
        smooth_max_double(losses, prior, smoothing, values, weights, rows, tasks);
    else
        smooth_max_float(losses, prior, (float)smoothing, values, weights, rows, tasks);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

/* mirror_step(log-weights, rows, tasks, double; losses, log-prior, present or 0, step size, forgetting, floor, out) */
PyObject *mirror_step(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    if (n != 11)
        return PyErr_Format(PyExc_TypeError, "mirror_step takes 11 arguments, got %zd.", n);
    mirror p = {
        .log_weights = address(args[0]),
        .losses = address(args[4]),
        .log_prior = address(args[5]),
        .present = address(args[6]),
        .out = address(args[10]),
        .rows = PyLong_AsLongLong(args[1]),
        .tasks = PyLong_AsLongLong(args[2]),
        .step_size = PyFloat_AsDouble(args[7]),
        .forgetting = PyFloat_AsDouble(args[8]),
        .floor = PyFloat_AsDouble(args[9]),
    };
    int wide = (int)PyLong_AsLong(args[3]);
    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    if (wide)
        mirror_step_double(&p);
    else
        mirror_step_float(&p);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}
