// graphs.cpp -- graphs: captured or built by hand, instantiated, updated, launched.
#include <algorithm>

#include "streams.h"

namespace {

// What an instantiated graph runs. A launch that waits in a lazy stream keeps the work it was launched with, whatever
// is set or destroyed later: hence the shared, never changed list.
using WorkList = std::vector<Work>;

struct GraphExec {
    std::vector<const GraphNode *> originals;   // in the order of `work`; keys only, the graph may be gone
    std::shared_ptr<const WorkList> work;
};

auto &graphs = *new Handles<Graph, CUgraph>;
auto &execs = *new Handles<GraphExec, CUgraphExec>;

GraphNode *node_of(CUgraphNode handle) {
    for (Graph *graph : graphs.all())
        for (const auto &node : graph->nodes)
            if (node.get() == reinterpret_cast<GraphNode *>(handle))
                return node.get();
    return nullptr;
}

CUgraphNode handle_of(const GraphNode *node) {
    return reinterpret_cast<CUgraphNode>(const_cast<GraphNode *>(node));
}

// An order in which each node comes after what it depends on. As with streams, the lazy setting takes an order that
// only the dependencies justify: whatever became ready last goes first.
std::vector<const GraphNode *> execution_order(const Graph &graph) {
    std::vector<const GraphNode *> order;
    std::set<const GraphNode *> done;
    while (order.size() < graph.nodes.size()) {
        const GraphNode *next = nullptr;
        for (const auto &node : graph.nodes) {
            const auto &needs = node->dependencies;
            if (done.count(node.get()) || !std::all_of(needs.begin(), needs.end(),
                                                       [&](const GraphNode *need) { return done.count(need) > 0; }))
                continue;
            next = node.get();
            if (!lazy_streams())
                break;
        }
        if (!next)
            return {};   // a cycle
        done.insert(next);
        order.push_back(next);
    }
    return order;
}

CUresult instantiate(CUgraphExec *handle, CUgraph graph_handle) {
    const Graph *graph = graphs.find(graph_handle);
    if (!graph)
        return CUDA_ERROR_INVALID_HANDLE;
    auto exec = std::make_unique<GraphExec>();
    exec->originals = execution_order(*graph);
    if (exec->originals.size() != graph->nodes.size())
        return explain(CUDA_ERROR_INVALID_VALUE, "the graph has a cycle");
    auto work = std::make_shared<WorkList>();
    for (const GraphNode *node : exec->originals)
        work->push_back(node->work);
    exec->work = work;
    *handle = execs.add(std::move(exec));
    return CUDA_SUCCESS;
}

// Put new work in the place of one node of an instantiated graph.
CUresult replace_work(GraphExec &exec, const GraphNode *original, const Work &work) {
    auto found = std::find(exec.originals.begin(), exec.originals.end(), original);
    if (found == exec.originals.end())
        return CUDA_ERROR_INVALID_VALUE;
    auto changed = std::make_shared<WorkList>(*exec.work);
    Work &place = (*changed)[found - exec.originals.begin()];
    if (place.type != work.type)
        return CUDA_ERROR_INVALID_VALUE;
    place = work;
    exec.work = changed;
    return CUDA_SUCCESS;
}

CUresult make_kernel_work(const CUDA_KERNEL_NODE_PARAMS &params, Work &work) {
    work.type = CU_GRAPH_NODE_TYPE_KERNEL;
    work.launch.function = function_of(params.func);
    work.launch.grid = {params.gridDimX, params.gridDimY, params.gridDimZ};
    work.launch.block = {params.blockDimX, params.blockDimY, params.blockDimZ};
    work.launch.shared_bytes = params.sharedMemBytes;
    return make_launch(work.launch, params.kernelParams, params.extra);
}

CUresult add_node(CUgraphNode *handle, CUgraph graph_handle, const CUgraphNode *dependencies, size_t count, Work work) {
    Graph *graph = graphs.find(graph_handle);
    if (!graph)
        return CUDA_ERROR_INVALID_HANDLE;
    std::vector<const GraphNode *> needs;
    for (size_t i = 0; i < count; ++i) {
        needs.push_back(node_of(dependencies[i]));
        if (!needs.back())
            return CUDA_ERROR_INVALID_VALUE;
    }
    *handle = handle_of(graph->add(std::move(work), std::move(needs)));
    return CUDA_SUCCESS;
}

// CUDA's way to return a list: with a null array only its length, else as many as fit.
template <class Item> void return_list(const std::vector<Item> &items, Item *array, size_t *count) {
    if (!array) {
        *count = items.size();
        return;
    }
    const size_t room = *count;
    for (size_t i = 0; i < room; ++i)
        array[i] = i < items.size() ? items[i] : Item();
    *count = std::min(room, items.size());
}

}   // namespace

CUresult Work::execute() const {
    return type == CU_GRAPH_NODE_TYPE_KERNEL ? execute_launch(launch) : run();
}

GraphNode *Graph::add(Work work, std::vector<const GraphNode *> dependencies) {
    nodes.push_back(std::make_unique<GraphNode>());
    nodes.back()->work = std::move(work);
    nodes.back()->dependencies = std::move(dependencies);
    return nodes.back().get();
}

CUgraph adopt_graph(std::unique_ptr<Graph> graph) {
    return graphs.add(std::move(graph));
}

// --- graphs and what they hold

DRIVER_API CUresult cuGraphCreate(CUgraph *graph, unsigned) {
    Call call("cuGraphCreate");
    *graph = graphs.add(std::make_unique<Graph>());
    return call.error;
}

DRIVER_API CUresult cuGraphDestroy(CUgraph graph) {
    Call call("cuGraphDestroy", Needs::nothing);
    return graphs.remove(graph) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

DRIVER_API CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode *nodes, size_t *count) {
    Call call("cuGraphGetNodes");
    const Graph *graph = graphs.find(handle);
    if (!graph)
        return CUDA_ERROR_INVALID_HANDLE;
    std::vector<CUgraphNode> handles;
    for (const auto &node : graph->nodes)
        handles.push_back(handle_of(node.get()));
    return_list(handles, nodes, count);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuGraphGetEdges_v2(CUgraph handle, CUgraphNode *from, CUgraphNode *to, CUgraphEdgeData *data,
                                       size_t *count) {
    Call call("cuGraphGetEdges");
    const Graph *graph = graphs.find(handle);
    if (!graph)
        return CUDA_ERROR_INVALID_HANDLE;
    std::vector<CUgraphNode> sources, targets;
    for (const auto &node : graph->nodes)
        for (const GraphNode *dependency : node->dependencies) {
            sources.push_back(handle_of(dependency));
            targets.push_back(handle_of(node.get()));
        }
    size_t target_count = *count;
    if (data)
        std::fill_n(data, std::min(*count, sources.size()), CUgraphEdgeData());
    return_list(targets, to, &target_count);
    return_list(sources, from, count);
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuGraphNodeGetType(CUgraphNode handle, CUgraphNodeType *type) {
    Call call("cuGraphNodeGetType");
    const GraphNode *node = node_of(handle);
    if (!node)
        return CUDA_ERROR_INVALID_VALUE;
    *type = node->work.type;
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuGraphAddKernelNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
                                            size_t count, const CUDA_KERNEL_NODE_PARAMS *params) {
    Call call("cuGraphAddKernelNode");
    Work work;
    if (CUresult error = make_kernel_work(*params, work))
        return error;
    return add_node(node, graph, dependencies, count, std::move(work));
}

DRIVER_API CUresult cuGraphAddMemcpyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
                                         size_t count, const CUDA_MEMCPY3D *params, CUcontext) {
    Call call("cuGraphAddMemcpyNode");
    Work work;
    if (CUresult error = make_copy(*params, work))
        return error;
    return add_node(node, graph, dependencies, count, std::move(work));
}

DRIVER_API CUresult cuGraphAddMemsetNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
                                         size_t count, const CUDA_MEMSET_NODE_PARAMS *params, CUcontext) {
    Call call("cuGraphAddMemsetNode");
    Work work;
    if (CUresult error = make_fill(*params, work))
        return error;
    return add_node(node, graph, dependencies, count, std::move(work));
}

DRIVER_API CUresult cuGraphAddEmptyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
                                        size_t count) {
    Call call("cuGraphAddEmptyNode");
    return add_node(node, graph, dependencies, count, {CU_GRAPH_NODE_TYPE_EMPTY, [] { return CUDA_SUCCESS; }, {}});
}

DRIVER_API CUresult cuGraphAddDependencies_v2(CUgraph, const CUgraphNode *from, const CUgraphNode *to,
                                              const CUgraphEdgeData *, size_t count) {
    Call call("cuGraphAddDependencies");
    for (size_t i = 0; i < count; ++i) {
        const GraphNode *source = node_of(from[i]);
        GraphNode *target = node_of(to[i]);
        if (!source || !target)
            return CUDA_ERROR_INVALID_VALUE;
        target->dependencies.push_back(source);
    }
    return CUDA_SUCCESS;
}

// The argument pointers point into the node: they hold until it is changed.
DRIVER_API CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS *params) {
    Call call("cuGraphKernelNodeGetParams");
    GraphNode *node = node_of(handle);
    if (!node || node->work.type != CU_GRAPH_NODE_TYPE_KERNEL)
        return CUDA_ERROR_INVALID_VALUE;
    const KernelLaunch &launch = node->work.launch;
    node->argument_pointers = argument_pointers(launch);
    *params = {};
    params->func = reinterpret_cast<CUfunction>(const_cast<Function *>(launch.function));
    params->gridDimX = launch.grid.x, params->gridDimY = launch.grid.y, params->gridDimZ = launch.grid.z;
    params->blockDimX = launch.block.x, params->blockDimY = launch.block.y, params->blockDimZ = launch.block.z;
    params->sharedMemBytes = launch.shared_bytes;
    params->kernelParams = node->argument_pointers.data();
    return CUDA_SUCCESS;
}

DRIVER_API CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode handle, const CUDA_KERNEL_NODE_PARAMS *params) {
    Call call("cuGraphKernelNodeSetParams");
    GraphNode *node = node_of(handle);
    if (!node || node->work.type != CU_GRAPH_NODE_TYPE_KERNEL)
        return CUDA_ERROR_INVALID_VALUE;
    Work work;   // made first: the parameters may point into the node
    if (CUresult error = make_kernel_work(*params, work))
        return error;
    node->work = std::move(work);
    return CUDA_SUCCESS;
}

// --- instantiated graphs

DRIVER_API CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long) {
    Call call("cuGraphInstantiate");
    return call.error ? call.error : instantiate(exec, graph);
}

DRIVER_API CUresult cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph,
                                                 CUDA_GRAPH_INSTANTIATE_PARAMS *params) {
    Call call("cuGraphInstantiate");
    const CUresult error = call.error ? call.error : instantiate(exec, graph);
    params->result_out = error ? CUDA_GRAPH_INSTANTIATE_ERROR : CUDA_GRAPH_INSTANTIATE_SUCCESS;
    params->hErrNode_out = nullptr;
    return error;
}

DRIVER_API CUresult cuGraphExecDestroy(CUgraphExec exec) {
    Call call("cuGraphExecDestroy", Needs::nothing);
    if (CUresult refused = refuse_during_capture())
        return refused;
    return execs.remove(exec) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

DRIVER_API CUresult cuGraphUpload(CUgraphExec exec, CUstream) {
    Call call("cuGraphUpload");
    return execs.find(exec) ? call.error : CUDA_ERROR_INVALID_HANDLE;
}

DRIVER_API CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream) {
    Call call("cuGraphLaunch");
    const GraphExec *exec = execs.find(handle);
    if (call.error || !exec)
        return call.error ? call.error : CUDA_ERROR_INVALID_HANDLE;
    const auto work = exec->work;
    return submit(stream, {CU_GRAPH_NODE_TYPE_GRAPH,
                           [work]() -> CUresult {
                               for (const Work &each : *work)
                                   if (CUresult error = each.execute())
                                       return error;
                               return CUDA_SUCCESS;
                           },
                           {}});
}

DRIVER_API CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec_handle, CUgraphNode node,
                                                      const CUDA_KERNEL_NODE_PARAMS *params) {
    Call call("cuGraphExecKernelNodeSetParams");
    GraphExec *exec = execs.find(exec_handle);
    if (!exec)
        return CUDA_ERROR_INVALID_HANDLE;
    Work work;
    if (CUresult error = make_kernel_work(*params, work))
        return error;
    return replace_work(*exec, reinterpret_cast<GraphNode *>(node), work);
}

// The other graph must have the same nodes in the same order, as a second capture of the same program does.
DRIVER_API CUresult cuGraphExecUpdate_v2(CUgraphExec exec_handle, CUgraph graph_handle,
                                         CUgraphExecUpdateResultInfo *info) {
    Call call("cuGraphExecUpdate");
    GraphExec *exec = execs.find(exec_handle);
    const Graph *graph = graphs.find(graph_handle);
    if (!exec || !graph)
        return CUDA_ERROR_INVALID_HANDLE;
    const auto order = execution_order(*graph);
    bool same = order.size() == exec->work->size();
    for (size_t i = 0; same && i < order.size(); ++i)
        same = order[i]->work.type == (*exec->work)[i].type;
    *info = {};
    info->result = same ? CU_GRAPH_EXEC_UPDATE_SUCCESS : CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
    if (!same)
        return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    auto changed = std::make_shared<WorkList>();
    for (const GraphNode *node : order)
        changed->push_back(node->work);
    exec->work = changed;
    return CUDA_SUCCESS;
}
