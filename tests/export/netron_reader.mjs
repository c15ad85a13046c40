// Reads ONNX files by Netron's own reader, without a browser, and prints what it found.
import * as fs from 'fs';
import * as base from './base.js';

globalThis.window = globalThis.window || { requestAnimationFrame: (call) => setTimeout(call, 0), addEventListener: () => {} };
const view = await import('./view.js');
const fail = (error) => { throw error; };
const text = async (file) => fs.readFileSync(new URL(file, import.meta.url), 'utf-8');
const load = (id) => import(`${id}.js`);
const service = new view.ModelFactoryService({ environment: () => null, event: () => {}, exception: fail, require: load });
const found = {};
for (const path of process.argv.slice(2)) {
    const stream = new base.BinaryStream(new Uint8Array(fs.readFileSync(path)));
    const context = { identifier: path.split('/').pop(), stream, request: text, asset: text, require: load, error: fail };
    const model = await service.open(context);
    const [graph] = model.modules || model.graphs;
    const names = (list) => list.map((x) => x.name);
    found[path] = {
        format: model.format, nodes: graph.nodes.map((node) => [node.type.name, node.name]),
        inputs: names(graph.inputs), outputs: names(graph.outputs),
    };
}
console.log(JSON.stringify(found));
