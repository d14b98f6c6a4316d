export { KernelManager } from "@jupyterlab/services";
