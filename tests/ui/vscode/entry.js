export { KernelAPI, KernelManager } from "@jupyterlab/services";
