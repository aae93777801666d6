/** mock-serialport 0.0.1 as it is: three methods that print what they were asked. */
declare module "mock-serialport" {
  class MockSerialPort {
    write(bytes: unknown): void;
    open(): void;
    close(): void;
  }
  export = MockSerialPort;
}
