// streams.cpp -- streams, events, and the capture of a stream into a graph.
//
// Usually work is done when it is asked for: a stream is always empty. With lazy streams (CUDA_EMULATOR_LAZY) work
// waits until something in CUDA's rules makes it happen, so that a missing synchronization shows as old or poisoned
// data.
#include "streams.h"

#include <algorithm>
#include <chrono>
#include <deque>

struct Stream {
    bool blocking = true;       // ordered with the legacy default stream
    std::deque<Work> pending;   // with lazy streams
    uint64_t submitted = 0, executed = 0;
    std::shared_ptr<Capture> capture;       // while it is being captured
    std::vector<const GraphNode *> tail;    // what the next captured node depends on
};

struct Event {
    Stream *stream = nullptr;   // where it was recorded; null: never, or the stream is gone and all is done
    uint64_t position = 0;      // it is complete when the stream has executed so many
    bool recorded = false, has_timing = true;
    double milliseconds = 0;
    std::shared_ptr<Capture> capture;   // if it was recorded in one
    std::vector<const GraphNode *> captured;

    bool complete() const { return !stream || stream->executed >= position; }
};

namespace {

auto &streams = *new Handles<Stream, CUstream>;
auto &events = *new Handles<Event, CUevent>;
auto &legacy_stream = *new Stream;
unsigned long next_capture_id = 1;

// Null for a handle that is none. The per-thread default stream is not told from the legacy one.
Stream *stream_of(CUstream handle) {
    if (!handle || handle == CU_STREAM_LEGACY || handle == CU_STREAM_PER_THREAD)
        return &legacy_stream;
    return streams.find(handle);
}

double now_in_milliseconds() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// --- execution

CUresult run_until(Stream &stream, uint64_t position) {
    while (stream.executed < position && !stream.pending.empty()) {
        const Work work = std::move(stream.pending.front());
        stream.pending.pop_front();
        stream.executed++;
        if (CUresult error = work.execute())
            return error;
    }
    return context_error();
}

CUresult run_all(Stream &stream) {
    return run_until(stream, stream.submitted);
}

CUresult run_blocking_streams() {
    for (Stream *stream : streams.all())
        if (stream->blocking)
            if (CUresult error = run_all(*stream))
                return error;
    return CUDA_SUCCESS;
}

// The legacy default stream waits for all blocking streams, and they for it. Running the others first is one of the
// orders that CUDA allows.
CUresult run_what_comes_before(Stream &stream) {
    if (&stream == &legacy_stream)
        return run_blocking_streams();
    return stream.blocking ? run_all(legacy_stream) : CUDA_SUCCESS;
}

// --- capture

CUresult invalidate(Capture &capture, CUresult error, const std::string &message) {
    capture.invalidated = true;
    return explain(error, message);
}

// Use of the legacy stream would order it with the captured one, which cannot be recorded.
CUresult refuse_legacy_during_capture() {
    for (Stream *stream : streams.all())
        if (stream->capture && stream->blocking)
            return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
                              "the default stream is used while a blocking stream is captured");
    return CUDA_SUCCESS;
}

void add_dependencies(std::vector<const GraphNode *> &tail, const std::vector<const GraphNode *> &more) {
    for (const GraphNode *node : more)
        if (std::find(tail.begin(), tail.end(), node) == tail.end())
            tail.push_back(node);
}

CUresult record(Stream &stream, Work work) {
    if (stream.capture->invalidated)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    stream.tail = {stream.capture->graph->add(std::move(work), stream.tail)};
    return CUDA_SUCCESS;
}

void collect_ancestors(const GraphNode *node, std::set<const GraphNode *> &seen) {
    if (!seen.insert(node).second)
        return;
    for (const GraphNode *dependency : node->dependencies)
        collect_ancestors(dependency, seen);
}

// Every stream that joined must have been waited for by the stream where the capture began.
bool all_joined(const Capture &capture) {
    std::set<const GraphNode *> reached;
    for (const GraphNode *node : capture.origin->tail)
        collect_ancestors(node, reached);
    for (const Stream *stream : streams.all())
        if (stream->capture.get() == &capture)
            for (const GraphNode *node : stream->tail)
                if (!reached.count(node))
                    return false;
    return true;
}

void leave_capture(const Capture *capture) {
    for (Stream *stream : streams.all())
        if (stream->capture.get() == capture) {
            stream->capture.reset();
            stream->tail.clear();
        }
    for (Event *event : events.all())
        if (event->capture.get() == capture) {
            event->capture.reset();
            event->captured.clear();
        }
}

CUresult wait_in_capture(Stream &stream, const Event &event) {
    if (!event.capture) {
        if (!event.recorded)
            return CUDA_SUCCESS;
        return invalidate(*stream.capture, CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
                          "a captured stream waits for an event recorded outside the capture");
    }
    if (stream.capture && stream.capture != event.capture)
        return invalidate(*stream.capture, CUDA_ERROR_STREAM_CAPTURE_ISOLATION,
                          "a captured stream waits for an event of another capture");
    stream.capture = event.capture;   // a stream that waits for a captured event joins the capture
    add_dependencies(stream.tail, event.captured);
    return CUDA_SUCCESS;
}

}   // namespace

CUresult submit(CUstream handle, Work work) {
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture)
        return record(*stream, std::move(work));
    if (stream == &legacy_stream)
        if (CUresult refused = refuse_legacy_during_capture())
            return refused;
    if (CUresult error = run_what_comes_before(*stream))
        return error;
    stream->submitted++;
    if (lazy_streams()) {
        stream->pending.push_back(std::move(work));
        return CUDA_SUCCESS;
    }
    stream->executed++;
    return work.execute();
}

CUresult synchronize_legacy() {
    if (CUresult refused = refuse_legacy_during_capture())
        return refused;
    if (CUresult error = run_all(legacy_stream))
        return error;
    return run_blocking_streams();
}

CUresult synchronize_all() {
    for (Stream *stream : streams.all())
        if (CUresult error = run_all(*stream))
            return error;
    return run_all(legacy_stream);
}

CUresult refuse_during_capture() {
    for (Stream *stream : streams.all())
        if (stream->capture && stream->capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED)
            return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
                              "a call that may not be made while a stream is captured, unless the mode is relaxed");
    return CUDA_SUCCESS;
}

void reset_streams() {
    for (Stream *stream : streams.all()) {
        stream->pending.clear();
        stream->executed = stream->submitted;
        stream->capture.reset();
        stream->tail.clear();
    }
    for (Event *event : events.all())
        event->capture.reset();
    legacy_stream.pending.clear();
    legacy_stream.executed = legacy_stream.submitted;
}

// --- streams

DRIVER_API CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int) {
    Call call("cuStreamCreate");
    if (call.error)
        return call.error;
    *stream = streams.add(std::make_unique<Stream>());
    streams.find(*stream)->blocking = !(flags & CU_STREAM_NON_BLOCKING);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    return cuStreamCreateWithPriority(stream, flags, 0);
}

DRIVER_API CUresult cuStreamDestroy_v2(CUstream handle) {
    Call call("cuStreamDestroy", Needs::nothing);
    Stream *stream = streams.find(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    const CUresult error = run_all(*stream);
    if (stream->capture && stream->capture->origin == stream)
        leave_capture(stream->capture.get());
    for (Event *event : events.all())
        if (event->stream == stream)
            event->stream = nullptr;
    streams.remove(handle);
    return error;
}

DRIVER_API CUresult cuStreamSynchronize(CUstream handle) {
    Call call("cuStreamSynchronize");
    Stream *stream = stream_of(handle);
    if (call.error || !stream)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture)
        return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "a captured stream is synchronized");
    return stream == &legacy_stream ? synchronize_legacy() : run_all(*stream);
}

// A question makes progress: a program that polls in a loop comes to an end.
DRIVER_API CUresult cuStreamQuery(CUstream handle) {
    Call call("cuStreamQuery");
    Stream *stream = stream_of(handle);
    if (call.error || !stream)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture)
        return invalidate(*stream->capture, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "a captured stream is queried");
    if (stream->pending.empty())
        return CUDA_SUCCESS;
    const CUresult error = run_until(*stream, stream->executed + 1);
    return error ? error : CUDA_ERROR_NOT_READY;
}

DRIVER_API CUresult cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned) {
    Call call("cuStreamWaitEvent");
    Stream *stream = stream_of(handle);
    Event *event = events.find(event_handle);
    if (call.error || !stream || !event)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    if (stream->capture || event->capture)
        return wait_in_capture(*stream, *event);
    if (event->complete())
        return CUDA_SUCCESS;
    // What it waits for is fixed now; a later record of the same event does not matter.
    Stream *other = event->stream;
    const uint64_t position = event->position;
    return submit(handle, {CU_GRAPH_NODE_TYPE_WAIT_EVENT,
                           [=] { return streams.all().count(other) ? run_until(*other, position) : CUDA_SUCCESS; },
                           {}});
}

DRIVER_API CUresult cuStreamGetFlags(CUstream handle, unsigned *flags) {
    Call call("cuStreamGetFlags");
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    *flags = stream->blocking ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING;
    return CUDA_SUCCESS;
}

// --- capture

DRIVER_API CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
    Call call("cuStreamBeginCapture");
    Stream *stream = stream_of(handle);
    if (call.error || !stream)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    if (stream == &legacy_stream)
        return explain(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "the default stream cannot be captured");
    if (stream->capture)
        return CUDA_ERROR_ILLEGAL_STATE;
    stream->capture = std::make_shared<Capture>();
    stream->capture->origin = stream;
    stream->capture->mode = mode;
    stream->capture->id = next_capture_id++;
    stream->tail.clear();
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
    Call call("cuStreamEndCapture");
    Stream *stream = stream_of(handle);
    *graph = nullptr;
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    const std::shared_ptr<Capture> capture = stream->capture;
    if (!capture)
        return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream)
        return invalidate(*capture, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED,
                          "a capture ends in another stream than it began in");
    const bool joined = all_joined(*capture);
    leave_capture(capture.get());
    if (call.error)
        return call.error;
    if (capture->invalidated)
        return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!joined)
        return explain(CUDA_ERROR_STREAM_CAPTURE_UNJOINED,
                       "a capture ends before its first stream has waited for all that joined");
    *graph = adopt_graph(std::move(capture->graph));
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus *status) {
    Call call("cuStreamIsCapturing");
    Stream *stream = stream_of(handle);
    if (!stream)
        return CUDA_ERROR_INVALID_HANDLE;
    *status = !stream->capture               ? CU_STREAM_CAPTURE_STATUS_NONE
              : stream->capture->invalidated ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                             : CU_STREAM_CAPTURE_STATUS_ACTIVE;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuStreamGetCaptureInfo_v3(CUstream handle, CUstreamCaptureStatus *status, cuuint64_t *id,
                                              CUgraph *graph, const CUgraphNode **dependencies,
                                              const CUgraphEdgeData **edges, size_t *count) {
    Stream *stream = stream_of(handle);
    if (CUresult error = cuStreamIsCapturing(handle, status))
        return error;
    if (id)
        *id = stream->capture ? stream->capture->id : 0;
    if (graph)
        *graph = stream->capture ? reinterpret_cast<CUgraph>(stream->capture->graph.get()) : nullptr;
    if (dependencies)
        *dependencies = reinterpret_cast<CUgraphNode *>(const_cast<GraphNode **>(stream->tail.data()));
    if (edges)
        *edges = nullptr;
    if (count)
        *count = stream->tail.size();
    return CUDA_SUCCESS;
}

// --- events

DRIVER_API CUresult cuEventCreate(CUevent *event, unsigned flags) {
    Call call("cuEventCreate");
    if (call.error)
        return call.error;
    *event = events.add(std::make_unique<Event>());
    events.find(*event)->has_timing = !(flags & CU_EVENT_DISABLE_TIMING);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuEventDestroy_v2(CUevent event) {
    Call call("cuEventDestroy", Needs::nothing);
    return events.remove(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

DRIVER_API CUresult cuEventRecord(CUevent event_handle, CUstream handle) {
    Call call("cuEventRecord");
    Stream *stream = stream_of(handle);
    Event *event = events.find(event_handle);
    if (call.error || !stream || !event)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    event->capture = stream->capture;
    if (stream->capture) {
        event->captured = stream->tail;
        return CUDA_SUCCESS;
    }
    const CUresult error = submit(handle, {CU_GRAPH_NODE_TYPE_EVENT_RECORD,
                                           [event_handle] {
                                               if (Event *recorded = events.find(event_handle))
                                                   recorded->milliseconds = now_in_milliseconds();
                                               return CUDA_SUCCESS;
                                           },
                                           {}});
    event->stream = stream;
    event->position = stream->submitted;
    event->recorded = true;
    return error;
}

DRIVER_API CUresult cuEventQuery(CUevent handle) {
    Call call("cuEventQuery");
    Event *event = events.find(handle);
    if (call.error || !event)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    if (event->capture)
        return CUDA_ERROR_CAPTURED_EVENT;
    if (event->complete())
        return CUDA_SUCCESS;
    const CUresult error = run_until(*event->stream, event->stream->executed + 1);
    return error ? error : CUDA_ERROR_NOT_READY;
}

DRIVER_API CUresult cuEventSynchronize(CUevent handle) {
    Call call("cuEventSynchronize");
    Event *event = events.find(handle);
    if (call.error || !event)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    if (event->capture)
        return CUDA_ERROR_CAPTURED_EVENT;
    return event->complete() ? CUDA_SUCCESS : run_until(*event->stream, event->position);
}

DRIVER_API CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent start_handle, CUevent end_handle) {
    Call call("cuEventElapsedTime");
    const Event *start = events.find(start_handle), *end = events.find(end_handle);
    if (call.error || !start || !end)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    if (!start->recorded || !end->recorded || !start->has_timing || !end->has_timing)
        return CUDA_ERROR_INVALID_HANDLE;
    if (!start->complete() || !end->complete())
        return CUDA_ERROR_NOT_READY;
    *milliseconds = float(end->milliseconds - start->milliseconds);
    return CUDA_SUCCESS;
}
