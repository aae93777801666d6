/** The controller's version, as its status says it. The package's. */
export const VERSION = "0.1.0";
