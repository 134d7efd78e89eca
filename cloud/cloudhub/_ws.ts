// The package carries no types of its own.
// @ts-types="@types/ws"
export { WebSocket, WebSocketServer } from "ws";
