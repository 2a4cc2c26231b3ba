// The service beside the page, as a gateway would put it: no other origin, so nothing to allow.
export default { server: { proxy: { "/api": "http://127.0.0.1:8001" } } };
