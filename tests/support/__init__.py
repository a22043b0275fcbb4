"""What the tests share: hands, windows, wires, hostile files, plain loops to compare with."""
