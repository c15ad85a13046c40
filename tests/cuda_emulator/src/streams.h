// streams.h -- streams as graphs.cpp sees them.
#pragma once
#include "driver.h"

struct Stream;

// One stream capture: the graph it records and the streams that take part.
struct Capture {
    std::unique_ptr<Graph> graph = std::make_unique<Graph>();
    Stream *origin = nullptr;
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    unsigned long id = 0;
    bool invalidated = false;
};

// Hand a finished capture's graph to the caller.
CUgraph adopt_graph(std::unique_ptr<Graph> graph);
