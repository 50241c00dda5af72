// grpc-js with the .proto files: both protocols, unary and streams.
// node grpc_js_client.js MODULES PROTOS ADDRESS PHOTO

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");

const [modules, protos, address, photoFile] = process.argv.slice(2);
const grpc = require(path.join(modules, "@grpc/grpc-js"));
const loader = require(path.join(modules, "@grpc/proto-loader"));

const load = (file) =>
  grpc.loadPackageDefinition(
    loader.loadSync(file, { includeDirs: [protos], keepCase: true, longs: Number }),
  );
const { sfumato } = load("sfumato/v1/stylization_service.proto");
const { inference } = load("sfumato/inference/open_inference.proto");
const credentials = grpc.credentials.createInsecure();
const domain = new sfumato.v1.StylizationService(address, credentials);
const open = new inference.GRPCInferenceService(address, credentials);

const FRAMES = 20;
const photo = fs.readFileSync(photoFile); // PNG
const pixels = Buffer.from(Array.from({ length: 16 * 16 * 3 }, (_, i) => (2 * i) % 256));
const half = pixels.map((value) => value / 2); // all are even

const call = (client, method, request) =>
  new Promise((resolve, reject) =>
    client[method](request, (error, answer) => (error ? reject(error) : resolve(answer))),
  );

const inferRequest = (id, style = "dark") => ({
  model_name: "default",
  id: String(id),
  parameters: { style: { string_param: style } },
  inputs: [{ name: "image", datatype: "UINT8", shape: [1, 16, 16, 3] }],
  raw_input_contents: [pixels],
});

const collect = (stream, requests) =>
  new Promise((resolve, reject) => {
    const answers = [];
    stream.on("data", (answer) => answers.push(answer));
    stream.on("error", reject);
    stream.on("end", () => resolve(answers));
    requests.forEach((request) => stream.write(request));
    stream.end();
  });

const check = async (name, work) => {
  let result = "pass";
  try {
    await work();
  } catch (error) {
    result = `${error.name}: ${error.message}`;
  }
  console.log(JSON.stringify({ call: name, result }));
};

const numbers = Array.from({ length: FRAMES }, (_, i) => i);
const styles = [{ style_id: "dark", weight: 1 }];

(async () => {
  await check("ServerLive, ServerReady, ModelReady", async () => {
    assert((await call(open, "ServerLive", {})).live);
    assert((await call(open, "ServerReady", {})).ready);
    assert((await call(open, "ModelReady", { name: "default" })).ready);
  });
  await check("ModelInfer", async () => {
    const answer = await call(open, "ModelInfer", inferRequest(7));
    assert.strictEqual(answer.id, "7");
    assert(answer.raw_output_contents[0].equals(half));
  });
  await check("ModelStreamInfer", async () => {
    const answers = await collect(open.ModelStreamInfer(), numbers.map((n) => inferRequest(n)));
    assert.deepStrictEqual(answers.map((a) => a.infer_response.id), numbers.map(String));
    assert(answers.every((a) => a.infer_response.raw_output_contents[0].equals(half)));
  });
  await check("error NOT_FOUND", async () => {
    await assert.rejects(call(open, "ModelInfer", inferRequest(1, "nothing")), {
      code: grpc.status.NOT_FOUND,
    });
  });
  await check("ListStyles", async () => {
    const answer = await call(domain, "ListStyles", {});
    assert.deepStrictEqual(answer.styles.map((s) => s.id), ["plain", "dark", "light"]);
  });
  await check("Stylize", async () => {
    const answer = await call(domain, "Stylize", { image: photo, styles });
    assert(answer.image.length > 0);
    assert.strictEqual(answer.version, 1);
  });
  await check("StylizeStream", async () => {
    const frames = numbers.map((n) => ({ frame_id: n + 1, frame: { image: photo, styles } }));
    const answers = await collect(domain.StylizeStream(), frames);
    assert.deepStrictEqual(answers.map((a) => a.frame_id), numbers.map((n) => n + 1));
    assert(answers.every((a) => a.painting.image.length > 0));
  });
})();
