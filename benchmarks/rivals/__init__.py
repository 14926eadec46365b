"""Other packages on the speed benchmark's D-SGD job; they live in an environment of their own."""
